/* These tests read JSON as a stream: what the tree keeps of it, wherever chunks end. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/formats/json_tree.h"
#include "tests/kit/leaks.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

static void parse(struct wf_json_tree *t, const char *text)
{
    ok(wf_json_tree_parse(t, text, strlen(text), &err));
    cr_assert_eq(t->size, strlen(text));
}

Test(json_tree, kinds_keys_and_order_are_kept)
{
    struct wf_json_tree t;
    parse(&t, "\xEF\xBB\xBF {\"b\": [null, 2, \"x\\u00e9\", [1]], \"a\": true, \"b\": {}, \"\": "
              "-1.5e3}\n");
    cr_assert(t.root.kind == WF_JSON_OBJECT && t.root.count == 4 && !t.root.key);
    cr_expect_str_eq(wf_json_at(&t.root, 0).key, "b");
    cr_expect(wf_json_at(&t.root, 1).kind == WF_JSON_BOOL);
    cr_expect(wf_json_at(&t.root, 2).kind == WF_JSON_OBJECT);
    cr_expect_eq(wf_json_get(&t.root, "")->number, -1500);
    cr_expect(!wf_json_get(&t.root, "c") && !wf_json_get(NULL, "a"));
    const struct wf_json *b = wf_json_get(&t.root, "b"); /* returns the first of two members "b" */
    cr_assert(b->kind == WF_JSON_LIST && b->count == 4 && !wf_json_get(b, "b"));
    cr_expect(wf_json_at(b, 0).kind == WF_JSON_NULL && !wf_json_at(b, 0).key);
    cr_expect(wf_json_at(b, 1).kind == WF_JSON_NUMBER && wf_json_at(b, 1).number == 2);
    cr_expect_str_eq(wf_json_at(b, 2).text, "x\xC3\xA9");
    struct wf_json last = wf_json_at(b, 3);
    cr_expect(last.count == 1 && wf_json_at(&last, 0).number == 1);
    wf_json_tree_free(&t);
    parse(&t, "7");
    cr_expect(t.root.kind == WF_JSON_NUMBER && t.root.number == 7);
    wf_json_tree_free(&t);
    expect_no_leaks();
}

Test(json_tree, numbers_are_floats_only_where_that_keeps_them)
{
    static const struct {
        const char *text;
        enum wf_json_store store;
        double first;
    } row[] = {
        { "[]", WF_JSON_FLOATS, 0 },
        { "[null]", WF_JSON_FLOATS, NAN },
        { "[0.1, -3]", WF_JSON_FLOATS, (double)0.1F },
        { "[16777216]", WF_JSON_FLOATS, 16777216 },
        { "[16777217]", WF_JSON_DOUBLES, 16777217 },
        { "[16777216.5, 1]", WF_JSON_DOUBLES, 16777216.5 },
        { "[5.00000001]", WF_JSON_DOUBLES, 5.00000001 }, /* is no integer */
        { "[1e-50]", WF_JSON_DOUBLES, 1e-50 },           /* is not 0 in double */
        { "[1e99]", WF_JSON_DOUBLES, 1e99 },             /* is not infinite in double */
        { "[9007199254740991]", WF_JSON_DOUBLES, 9007199254740991 },
        { "[1e999]", WF_JSON_FLOATS, INFINITY },
        { "[1, true]", WF_JSON_VALUES, 1 },
        { "[16777217, {}]", WF_JSON_VALUES, 16777217 },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct wf_json_tree t;
        parse(&t, row[i].text);
        cr_assert_eq(t.root.store, row[i].store, "%s", row[i].text);
        if (t.root.count > 0) {
            struct wf_json v = wf_json_at(&t.root, 0);
            cr_expect_eq(v.kind, isnan(row[i].first) ? WF_JSON_NULL : WF_JSON_NUMBER);
            cr_expect(isnan(row[i].first) || v.number == row[i].first, "%s", row[i].text);
        }
        wf_json_tree_free(&t);
    }
    expect_no_leaks();
}

/* The text has lists that hold their own number; it spans several chunks and blocks, so that a
 * chunk ends at every offset that a list has. */
Test(json_tree, tokens_are_whole_where_chunks_end)
{
    enum { LISTS = 6000 };
    static char text[1 << 18];
    for (int shift = 0; shift < 24; shift++) {
        struct wf_json_tree t;
        int n = snprintf(text, sizeof text, "%*s[", shift, "");
        for (int i = 0; i < LISTS; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%s[%d,\"t%d\\n\"]", i ? ", " : "",
                          100000 + i, i);
        n += snprintf(text + n, sizeof text - (size_t)n, "]");
        ok(wf_json_tree_read(&t, scratch_file("t.json", text, (size_t)n), &err));
        cr_assert_eq(t.root.count, LISTS);
        for (int i = 0; i < LISTS; i++) {
            struct wf_json v = wf_json_at(&t.root, i);
            char want[24];
            snprintf(want, sizeof want, "t%d\n", i);
            cr_assert(v.count == 2 && wf_json_at(&v, 0).number == 100000 + i, "list %d", i);
            cr_assert_str_eq(wf_json_at(&v, 1).text, want);
        }
        wf_json_tree_free(&t);
    }
    expect_no_leaks();
}

/* One list is longer than a block, and all of it must be there. */
Test(json_tree, a_long_list_is_a_vector)
{
    enum { N = 100000 };
    static char text[N * 8];
    struct wf_json_tree t;
    int n = 0;
    for (int i = 0; i < N; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%c%d", i ? ',' : '[', i);
    text[n++] = ']';
    ok(wf_json_tree_parse(&t, text, (size_t)n, &err));
    cr_assert(t.root.count == N && t.root.store == WF_JSON_FLOATS);
    for (int i = 0; i < N; i++) cr_assert_eq(t.root.floats[i], (float)i);
    wf_json_tree_free(&t);
    expect_no_leaks();
}

static void nest(char *text, int depth)
{
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    text[2 * depth] = 0;
}

Test(json_tree, what_is_no_json_is_refused_with_its_place)
{
    static const struct {
        const char *text, *says;
    } row[] = {
        { "", "not JSON from byte 0 on" },
        { " ", "not JSON from byte 0 on" },
        { "[1, 2", "not JSON from byte 5 on" },
        { "[1, 2,]", "not JSON from byte 5 on" },
        { "[01]", "not JSON from byte 2 on" },
        { "[1] x", "not JSON from byte 3 on" },
        { "[1] [2]", "not JSON from byte 3 on" },
        { "{\"a\": 1, \"b\" 2}", "not JSON from byte 12 on" },
        { "{\"a\": NaN}", "not JSON from byte 4 on" },
        { "{1: 2}", "not JSON from byte 1 on" },
        { "[/* a */ 1]", "not JSON from byte 1 on" },
        { "[\"a\nb\"]", "not JSON from byte 1 on" },
        { "[\"\xFF\"]", "not JSON from byte 1 on" },
        { "[1, \"a\\u0000b\"]", "a text with a NUL in it behind byte 2" },
        { "{\"\\u0000\": 1}", "a text with a NUL in it behind byte 1" },
    };
    struct wf_json_tree t;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        fails(wf_json_tree_parse(&t, row[i].text, strlen(row[i].text), &err), WF_EFORMAT,
              row[i].says);
        cr_assert_eq(wf_alloc_live(), 0, "%s", row[i].text);
    }
    char text[1 << 12];
    nest(text, 64);
    parse(&t, text);
    wf_json_tree_free(&t);
    nest(text, 65);
    fails(wf_json_tree_parse(&t, text, strlen(text), &err), WF_EFORMAT,
          "nests deeper than 64 behind byte 64");
    memset(text, '1', 600);
    fails(wf_json_tree_parse(&t, text, 600, &err), WF_EFORMAT,
          "a number of 600 characters behind byte 0");
    fails(wf_json_tree_read(&t, scratch("absent.json"), &err), WF_EIO, "absent.json: No such file");
    fails(wf_json_tree_read(&t, scratch_file("x.json", "[}", 2), &err), WF_EFORMAT,
          "x.json: not JSON from byte 1 on");
    expect_no_leaks();
}

/* A text without an end would grow in memory; so would a value that never comes. */
Test(json_tree, bytes_without_a_value_have_an_end)
{
    enum { N = (1 << 24) + (1 << 16) };
    static char text[N];
    struct wf_json_tree t;
    memset(text, 'x', sizeof text);
    memcpy(text, "[7,\"", 4);
    fails(wf_json_tree_parse(&t, text, sizeof text, &err), WF_EFORMAT, "bytes from byte 2 on");
    expect_no_leaks();
}

Test(json_tree, every_failed_allocation_is_clean)
{
    static char text[1 << 17];
    struct wf_json_tree t = { 0 };
    int n = snprintf(text, sizeof text, "{\"k\":[1,2,\"three\"],\"v\":[");
    for (int i = 0; i < 12000; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s%d", i ? "," : "", i);
    n += snprintf(text + n, sizeof text - (size_t)n, "]}");
    EACH_ALLOCATION_FAILS(err, wf_json_tree_parse(&t, text, (size_t)n, &err),
                          wf_json_tree_free(&t));
}
