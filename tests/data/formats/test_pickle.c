/* These tests read adjacency matrices in pickles, with a pickle machine that calls no code. */
#include <criterion/criterion.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/pickle.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

/* The pickles hold [["a1", "b2"], {"a1": 0, "b2": 1}, [[0, .5], [.25, 1]] as float32], in protocols
 * 0 to 4, as Python 3.11 and numpy 2 write it. */
static const struct {
    const char *bytes;
    size_t size;
} sample[] = {
    { "(lp0\012(lp1\012Va1\012p2\012aVb2\012p3\012aa(dp4\012g2\012I0\012sg3\012I1\012sacnumpy._c"
      "ore.multiarray\012_reconstruct\012p5\012(cnumpy\012ndarray\012p6\012(I0\012tp7\012c_codec"
      "s\012encode\012p8\012(Vb\012p9\012Vlatin1\012p10\012tp11\012Rp12\012tp13\012Rp14\012(I1"
      "\012(I2\012I2\012tp15\012cnumpy\012dtype\012p16\012(Vf4\012p17\012I00\012I01\012tp18\012R"
      "p19\012(I3\012V<\012p20\012NNNI-1\012I-1\012I0\012tp21\012bI00\012g8\012(V\\u0000\\u0000"
      "\\u0000\\u0000\\u0000\\u0000\\u0000\077\\u0000\\u0000\200>\\u0000\\u0000\200\077\012p22"
      "\012g10\012tp23\012Rp24\012tp25\012ba.",
      370 },
    { "]q\000(]q\001(X\002\000\000\000a1q\002X\002\000\000\000b2q\003e}q\004(h\002K\000h\003K"
      "\001ucnumpy._core.multiarray\012_reconstruct\012q\005(cnumpy\012ndarray\012q\006(K\000tq"
      "\007c_codecs\012encode\012q\010(X\001\000\000\000bq\011X\006\000\000\000latin1q\012tq\013"
      "Rq\014tq\015Rq\016(K\001(K\002K\002tq\017cnumpy\012dtype\012q\020(X\002\000\000\000f4q"
      "\021I00\012I01\012tq\022Rq\023(K\003X\001\000\000\000<q\024NNNJ\377\377\377\377J\377\377"
      "\377\377K\000tq\025bI00\012h\010(X\022\000\000\000\000\000\000\000\000\000\000\077\000"
      "\000\302\200>\000\000\302\200\077q\026h\012tq\027Rq\030tq\031be.",
      281 },
    { "\200\002]q\000(]q\001(X\002\000\000\000a1q\002X\002\000\000\000b2q\003e}q\004(h\002K\000h"
      "\003K\001ucnumpy._core.multiarray\012_reconstruct\012q\005cnumpy\012ndarray\012q\006K\000"
      "\205q\007c_codecs\012encode\012q\010X\001\000\000\000bq\011X\006\000\000\000latin1q\012"
      "\206q\013Rq\014\207q\015Rq\016(K\001K\002K\002\206q\017cnumpy\012dtype\012q\020X\002\000"
      "\000\000f4q\021\211\210\207q\022Rq\023(K\003X\001\000\000\000<q\024NNNJ\377\377\377\377J"
      "\377\377\377\377K\000tq\025b\211h\010X\022\000\000\000\000\000\000\000\000\000\000\077"
      "\000\000\302\200>\000\000\302\200\077q\026h\012\206q\027Rq\030tq\031be.",
      268 },
    { "\200\003]q\000(]q\001(X\002\000\000\000a1q\002X\002\000\000\000b2q\003e}q\004(h\002K\000h"
      "\003K\001ucnumpy._core.multiarray\012_reconstruct\012q\005cnumpy\012ndarray\012q\006K\000"
      "\205q\007C\001bq\010\207q\011Rq\012(K\001K\002K\002\206q\013cnumpy\012dtype\012q\014X\002"
      "\000\000\000f4q\015\211\210\207q\016Rq\017(K\003X\001\000\000\000<q\020NNNJ\377\377\377"
      "\377J\377\377\377\377K\000tq\021b\211C\020\000\000\000\000\000\000\000\077\000\000\200>"
      "\000\000\200\077q\022tq\023be.",
      213 },
    { "\200\004\225\271\000\000\000\000\000\000\000]\224(]\224(\214\002a1\224\214\002b2\224e}"
      "\224(h\002K\000h\003K\001u\214\026numpy._core.multiarray\224\214\014_reconstruct\224\223"
      "\224\214\005numpy\224\214\007ndarray\224\223\224K\000\205\224C\001b\224\207\224R\224(K"
      "\001K\002K\002\206\224h\010\214\005dtype\224\223\224\214\002f4\224\211\210\207\224R\224(K"
      "\003\214\001<\224NNNJ\377\377\377\377J\377\377\377\377K\000t\224b\211C\020\000\000\000"
      "\000\000\000\000\077\000\000\200>\000\000\200\077\224t\224be.",
      196 },
};

static const char fortran_f8[] =
    "\200\002cnumpy._core.multiarray\012_reconstruct\012q\000cnumpy\012ndarray\012q\001K\000"
    "\205q\002c_codecs\012encode\012q\003X\001\000\000\000bq\004X\006\000\000\000latin1q\005"
    "\206q\006Rq\007\207q\010Rq\011(K\001K\002K\002\206q\012cnumpy\012dtype\012q\013X\002\000"
    "\000\000f8q\014\211\210\207q\015Rq\016(K\003X\001\000\000\000>q\017NNNJ\377\377\377\377J"
    "\377\377\377\377K\000tq\020b\210h\003X#\000\000\000\000\000\000\000\000\000\000\000\077"
    "\303\220\000\000\000\000\000\000\077\303\240\000\000\000\000\000\000\077\303\260\000\000"
    "\000\000\000\000q\021h\005\206q\022Rq\023tq\024b.";

/* The pickle holds ((np.int64(7), 8), {7: 0, 8: 1}, [[1, 2], [3, 4]] as int16). */
static const char integer_ids[] =
    "\200\002cnumpy._core.multiarray\012scalar\012q\000cnumpy\012dtype\012q\001X\002\000\000"
    "\000i8q\002\211\210\207q\003Rq\004(K\003X\001\000\000\000<q\005NNNJ\377\377\377\377J\377"
    "\377\377\377K\000tq\006bc_codecs\012encode\012q\007X\010\000\000\000\007\000\000\000\000"
    "\000\000\000q\010X\006\000\000\000latin1q\011\206q\012Rq\013\206q\014Rq\015K\010\206q\016"
    "}q\017(K\007K\000K\010K\001ucnumpy._core.multiarray\012_reconstruct\012q\020cnumpy\012nda"
    "rray\012q\021K\000\205q\022h\007X\001\000\000\000bq\023h\011\206q\024Rq\025\207q\026Rq"
    "\027(K\001K\002K\002\206q\030h\001X\002\000\000\000i2q\031\211\210\207q\032Rq\033(K\003h"
    "\005NNNJ\377\377\377\377J\377\377\377\377K\000tq\034b\211h\007X\010\000\000\000\001\000"
    "\002\000\003\000\004\000q\035h\011\206q\036Rq\037tq b\207q!.";

Test(pickle, every_protocol_is_read)
{
    static const float want[] = { 0, 0.5F, 0.25F, 1 };
    struct wf_adjacency g;
    for (int protocol = 0; protocol < 5; protocol++) {
        ok(wf_pickle_adjacency_parse(sample[protocol].bytes, sample[protocol].size, &g, &err));
        cr_assert_eq(g.N, 2);
        cr_assert_eq(memcmp(g.A, want, sizeof want), 0, "protocol %d", protocol);
        cr_assert_str_eq(g.ids.name[0], "a1");
        cr_assert_str_eq(g.ids.name[1], "b2");
        wf_adjacency_free(&g);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(pickle, a_bare_array_in_fortran_order_and_big_endian_is_read)
{
    struct wf_adjacency g;
    ok(wf_pickle_adjacency_parse(fortran_f8, sizeof fortran_f8 - 1, &g, &err));
    cr_assert(g.N == 2 && g.ids.count == 0);
    cr_assert(g.A[0] == 0 && g.A[1] == 0.5F && g.A[2] == 0.25F && g.A[3] == 1);
    wf_adjacency_free(&g);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(pickle, integer_ids_and_weights_are_read)
{
    struct wf_adjacency g;
    ok(wf_pickle_adjacency_parse(integer_ids, sizeof integer_ids - 1, &g, &err));
    cr_assert_str_eq(g.ids.name[0], "7");
    cr_assert_str_eq(g.ids.name[1], "8");
    cr_assert(g.A[0] == 1 && g.A[3] == 4);
    wf_adjacency_free(&g);
    cr_expect_eq(wf_alloc_live(), 0);
}

#define RECONSTRUCT              "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
#define DTYPE(code)              "cnumpy\ndtype\n(S'" code "'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
#define ARRAY(shape, code, data) RECONSTRUCT "(I1\n(" shape "t" DTYPE(code) "I00\nS'" data "'\ntb"
#define ZEROS4                   "\\x00\\x00\\x00\\x00"
#define ONE_BY_1                 ARRAY("I1\nI1\n", "f4", ZEROS4)

static const struct {
    const char *bytes, *says;
    enum wf_status status;
} bad[] = {
    { "", "ends without a stop", WF_EFORMAT },
    { ".", "stack is empty", WF_EFORMAT },
    { "(.", "a mark where a value belongs", WF_EFORMAT },
    { "NN.", "values are left", WF_EFORMAT },
    { "cos\nsystem\n(S'true'\ntR.", "refuses os.system", WF_EFORMAT },
    { "c__builtin__\neval\n(S'1'\ntR.", "refuses __builtin__.eval", WF_EFORMAT },
    { "S'scipy.sparse'\nS'csr_matrix'\n\x93.", "refuses scipy.sparse.csr_matrix", WF_EFORMAT },
    { "cnumpy\nmatrix\n.", "refuses numpy.matrix", WF_EFORMAT },
    { "\x80\x05N.", "protocol 5, expected 0 to 4", WF_EFORMAT },
    { "(lp0\nI1\na.", "neither [ids, id_to_index, adjacency] nor an array", WF_EFORMAT },
    { "NQ.", "opcode 0x51 at byte 1 is not data", WF_EFORMAT },
    { "g7\n.", "memo key is not there", WF_EFORMAT },
    { "Np999999999\n.", "memo key is too large", WF_EFORMAT },
    { "I12x\n.", "bad integer", WF_EFORMAT },
    { "F1.5.5\n.", "bad float", WF_EFORMAT },
    { "S'abc\n.", "text without quotes", WF_EFORMAT },
    { "S'a\\xq0'\n.", "bad escape", WF_EFORMAT },
    { "V\\u00\n.", "bad escape", WF_EFORMAT },
    { "T\377\377\377\377ab", "text is cut off", WF_EFORMAT },
    { "\x8a\x09", "more than 64 bits", WF_EFORMAT },
    { "t.", "no mark", WF_EFORMAT },
    { "(Nd.", "dict key without value", WF_EFORMAT },
    { "NNa.", "no list to append to", WF_EFORMAT },
    { "(lNNs.", "no dict to set in", WF_EFORMAT },
    { "N(tR.", "calls what is no function", WF_EFORMAT },
    { "NNb.", "sets the state of what is no array", WF_EFORMAT },
    { "cnumpy\ndtype\n(S'O8'\ntR.", "numpy type 'O8'", WF_EFORMAT },
    { "c_codecs\nencode\n(Vx\nVrot13\ntR.", "other than latin1", WF_EFORMAT },
    { "c_codecs\nencode\n(V\\u20ac\nVlatin1\ntR.", "text is not latin1", WF_EFORMAT },
    { RECONSTRUCT ".", "is no numpy array", WF_EFORMAT },
    { ARRAY("I4\n", "f4", ZEROS4) ".", "rank 1, expected a matrix", WF_EFORMAT },
    { ARRAY("I1\nI2\n", "f4", ZEROS4) ".", "1 x 2, expected a square", WF_EFORMAT },
    { ARRAY("I0\nI0\n", "f4", "") ".", "0 x 0", WF_EFORMAT },
    { ARRAY("I2\nI2\n", "f4", ZEROS4) ".", "4 bytes of weights for 2 nodes", WF_EFORMAT },
    { ARRAY("I4294967296\nI4294967296\n", "f4", ZEROS4) ".", "4 bytes of weights", WF_EFORMAT },
    { ARRAY("I-1\nI-1\n", "f4", ZEROS4) ".", "-1 x -1", WF_EFORMAT },
    { ARRAY("I1\nI1\n", "f4", "\\x00\\x00\\xc0\\x7f") ".", "weight [0, 0]", WF_ENUMERIC },
    { ARRAY("I1\nI1\n", "f4", "\\x00\\x00\\x80\\x7f") ".", "is inf", WF_ENUMERIC },
    { ARRAY("I1\nI1\n", "i1", "\\xff") ".", "is -1", WF_ENUMERIC },
    { "((S'a'\nS'b'\nt(dS'a'\nI0\ns" ONE_BY_1 "t.", "2 node ids for 1 nodes", WF_EFORMAT },
    { "((Nt(dS'a'\nI0\ns" ONE_BY_1 "t.", "id 0 is neither text nor integer", WF_EFORMAT },
    { "((S'a'\nt(d" ONE_BY_1 "t.", "no dict of 1 entries", WF_EFORMAT },
    { "((S'a'\nt(dS'a'\nI1\ns" ONE_BY_1 "t.", "disagrees with the ids", WF_EFORMAT },
    { "((S'a'\nt(dS'b'\nI0\ns" ONE_BY_1 "t.", "disagrees with the ids", WF_EFORMAT },
    { "((S'a'\nt(dS'a'\nI0\ns" ONE_BY_1 "t.", NULL, WF_OK },
};

Test(pickle, bad_pickles_are_refused_by_name)
{
    struct wf_adjacency g;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = scratch_file("bad.pkl", bad[i].bytes, strlen(bad[i].bytes));
        enum wf_status s = wf_pickle_adjacency(path, &g, &err);
        cr_assert_eq(s, bad[i].status, "%s gives %d: %s", bad[i].bytes, s, err.message);
        if (bad[i].says) {
            says(bad[i].says);
            says("bad.pkl: ");
            cr_assert(!g.A && !g.ids.name);
        }
        wf_adjacency_free(&g);
        cr_assert_eq(wf_alloc_live(), 0);
    }
    fails(wf_pickle_adjacency(scratch("absent.pkl"), &g, &err), WF_EIO, "");
    fails(wf_pickle_adjacency("/", &g, &err), WF_EIO, "");
}

Test(pickle, truncated_and_damaged_pickles_are_refused_cleanly)
{
    struct wf_adjacency g;
    for (int protocol = 0; protocol < 5; protocol++) {
        size_t size = sample[protocol].size;
        char *bytes = wf_malloc(size);
        for (size_t n = 0; n < size; n++) {
            memcpy(bytes, sample[protocol].bytes, n);
            fails(wf_pickle_adjacency_parse(bytes, n, &g, &err), WF_EFORMAT, "");
            cr_assert_eq(wf_alloc_live(), 1);
        }
        for (size_t i = 0; i < 8 * size; i++) {
            memcpy(bytes, sample[protocol].bytes, size);
            bytes[i / 8] ^= (char)(1 << i % 8);
            if (wf_pickle_adjacency_parse(bytes, size, &g, &err) == WF_OK) {
                cr_assert(g.N == 1 || g.N == 2);
                wf_adjacency_free(&g);
            }
            cr_assert_eq(wf_alloc_live(), 1);
        }
        wf_free(bytes);
    }
}

Test(pickle, every_failed_allocation_is_clean)
{
    struct wf_adjacency g = { 0 };
    for (int protocol = 0; protocol < 5; protocol += 2) {
        const char *path = scratch_file("s.pkl", sample[protocol].bytes, sample[protocol].size);
        EACH_ALLOCATION_FAILS(err, wf_pickle_adjacency(path, &g, &err), wf_adjacency_free(&g));
    }
}

static const struct {
    const char *path, *first;
    int N, entries;
} real[] = {
    { "data/metr-la-week/adj_mx_metr-la.pkl", "773869", 207, 1722 },
    { "data/graphs/adj_mx_pems-bay-325.pkl", "400001", 325, 2694 },
    { "data/pems-bay-74/adj_mx_pems-bay.pkl", "400001", 74, 0 },
};

Test(pickle, the_published_adjacencies_are_read)
{
    NEED_SHARED();
    for (size_t k = 0; k < sizeof real / sizeof *real; k++) {
        struct wf_adjacency g;
        int entries = 0;
        ok(wf_pickle_adjacency(shared(real[k].path), &g, &err));
        cr_assert_eq(g.N, real[k].N);
        cr_assert_str_eq(g.ids.name[0], real[k].first);
        for (ptrdiff_t i = 0; i < g.N * g.N; i++) entries += g.A[i] != 0;
        if (real[k].entries) cr_assert_eq(entries, real[k].entries);
        cr_assert_gt(entries, g.N);
        wf_adjacency_free(&g);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}
