/* pickle.h - the adjacency pickles of the traffic data sets.
 *
 * Reads protocols 0 to 4 with a stack machine that knows only data: None, booleans, integers,
 * floats, texts, bytes, lists, tuples, dicts, and numpy arrays and scalars of numbers. Every other
 * name is refused by its name; nothing is ever executed. Memory is bounded by a multiple of the
 * file's size, and there is no recursion. */
#ifndef WF_PICKLE_H
#define WF_PICKLE_H

#include "data/formats/adjacency.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Accepts [ids, id_to_index, A] as the DCRNN data sets have it (the two must agree), or A alone: a
 * square numpy array. The caller frees with wf_adjacency_free. */
enum wf_status wf_pickle_adjacency(const char *path, struct wf_adjacency *out,
                                   struct wf_error *err);
enum wf_status wf_pickle_adjacency_parse(const void *bytes, size_t size, struct wf_adjacency *out,
                                         struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
