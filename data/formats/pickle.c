#include "data/formats/pickle.h"
#include <stdio.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/pickle_vm_private.h"
#include "tensor/alloc.h"

static const struct wf_pk_value *item(const struct wf_pickle *p, const struct wf_pk_value *v,
                                      int32_t i)
{
    return &p->value[v->item[i]];
}

static bool is_sequence(const struct wf_pk_value *v)
{
    return v->kind == WF_PK_LIST || v->kind == WF_PK_TUPLE;
}

/* Gives a text or an integer as a name; an integer is written to `number`. */
static bool name_of(const struct wf_pk_value *v, char number[24], const char **text, size_t *len)
{
    if (v->kind == WF_PK_INT) {
        *len = (size_t)snprintf(number, 24, "%lld", (long long)v->integer);
        *text = number;
        return true;
    }
    *text = v->text ? v->text : "";
    *len = v->len;
    return v->kind == WF_PK_TEXT;
}

static enum wf_status take_matrix(struct wf_adjacency *g, const struct wf_pickle *p,
                                  const struct wf_pk_value *v, struct wf_error *err)
{
    if (v->kind != WF_PK_ARRAY || v->count != 2)
        return wf_fail(err, WF_EFORMAT, "pickle: the adjacency is no numpy array");
    const struct wf_pk_value *shape = item(p, v, 0), *raw = item(p, v, 1);
    if (shape->count != 2 || item(p, shape, 0)->kind != WF_PK_INT ||
        item(p, shape, 1)->kind != WF_PK_INT)
        return wf_fail(err, WF_EFORMAT, "pickle: adjacency of rank %d, expected a matrix",
                       shape->count);
    int64_t n = item(p, shape, 0)->integer, m = item(p, shape, 1)->integer;
    if (n != m || n < 1)
        return wf_fail(err, WF_EFORMAT, "pickle: adjacency of %lld x %lld, expected a square one",
                       (long long)n, (long long)m);
    if ((uint64_t)n > raw->len || raw->len / v->type.size / (uint64_t)n != (uint64_t)n ||
        raw->len != (uint64_t)n * (uint64_t)n * v->type.size)
        return wf_fail(err, WF_EFORMAT,
                       "pickle: %zu bytes of weights for %lld nodes and %zu bytes each", raw->len,
                       (long long)n, v->type.size);
    struct wf_array a;
    WF_TRY(wf_array_alloc(&a, WF_F32, 2, (ptrdiff_t[]){ n, n }, err));
    g->N = n;
    g->A = a.f32;
    return wf_numpy_convert(&v->type, (const unsigned char *)raw->text, v->fortran, &a, err);
}

static enum wf_status take_ids(struct wf_adjacency *g, const struct wf_pickle *p,
                               const struct wf_pk_value *list, struct wf_error *err)
{
    if (!is_sequence(list) || list->count != g->N)
        return wf_fail(err, WF_EFORMAT, "pickle: %d node ids for %td nodes",
                       is_sequence(list) ? list->count : 0, g->N);
    WF_TRY(wf_names_alloc(&g->ids, g->N, err));
    for (int32_t i = 0; i < list->count; i++) {
        char number[24];
        const char *text;
        size_t len;
        if (!name_of(item(p, list, i), number, &text, &len))
            return wf_fail(err, WF_EFORMAT, "pickle: id %d is neither text nor integer", i);
        WF_TRY(wf_names_set(&g->ids, i, text, len, err));
    }
    return WF_OK;
}

/* The dict must say the same as the list: rows in another order would be wrong without a sign. */
static enum wf_status check_index(const struct wf_adjacency *g, const struct wf_pickle *p,
                                  const struct wf_pk_value *dict, struct wf_error *err)
{
    if (dict->kind != WF_PK_DICT || dict->count != 2 * g->N)
        return wf_fail(err, WF_EFORMAT, "pickle: id_to_index is no dict of %td entries", g->N);
    for (int32_t i = 0; i < dict->count; i += 2) {
        char number[24];
        const char *text;
        size_t len;
        const struct wf_pk_value *place = item(p, dict, i + 1);
        bool sound = name_of(item(p, dict, i), number, &text, &len) && place->kind == WF_PK_INT &&
                     place->integer >= 0 && place->integer < g->N;
        const char *id = sound ? g->ids.name[place->integer] : "";
        if (!sound || strlen(id) != len || memcmp(id, text, len) != 0)
            return wf_fail(err, WF_EFORMAT,
                           "pickle: entry %d of id_to_index disagrees with the ids", i / 2);
    }
    return WF_OK;
}

static enum wf_status take(struct wf_adjacency *g, const struct wf_pickle *p, int32_t root,
                           struct wf_error *err)
{
    const struct wf_pk_value *v = &p->value[root];
    if (v->kind == WF_PK_ARRAY) {
        WF_TRY(take_matrix(g, p, v, err));
        return wf_adjacency_check(g, err);
    }
    if (!is_sequence(v) || v->count != 3)
        return wf_fail(err, WF_EFORMAT,
                       "pickle: holds neither [ids, id_to_index, adjacency] nor an array");
    WF_TRY(take_matrix(g, p, item(p, v, 2), err));
    WF_TRY(take_ids(g, p, item(p, v, 0), err));
    WF_TRY(check_index(g, p, item(p, v, 1), err));
    return wf_adjacency_check(g, err);
}

enum wf_status wf_pickle_adjacency_parse(const void *bytes, size_t size, struct wf_adjacency *out,
                                         struct wf_error *err)
{
    struct wf_pickle p;
    int32_t root = 0;
    *out = (struct wf_adjacency){ 0 };
    enum wf_status s = wf_pk_run(&p, bytes, size, &root, err);
    if (s == WF_OK) s = take(out, &p, root, err);
    wf_pk_free(&p);
    if (s != WF_OK) wf_adjacency_free(out);
    return s;
}

enum wf_status wf_pickle_adjacency(const char *path, struct wf_adjacency *out, struct wf_error *err)
{
    char *bytes;
    size_t size;
    *out = (struct wf_adjacency){ 0 };
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    enum wf_status s = wf_pickle_adjacency_parse(bytes, size, out, err);
    wf_free(bytes);
    return wf_file_context(s, path, err);
}
