/* catalog.h - the data sets that are known by name: their files, shape, clock, where to get them.
 *
 * A file is looked for in FOLDER/NAME/, FOLDER/ and, where one is given, FOLDER/entry->folder/. A
 * stand-in that `dataset synth NAME` made is FOLDER/NAME.h5 and says so itself; it is taken where
 * the real files are not there. Reads no values and fetches nothing. */
#ifndef WF_CATALOG_H
#define WF_CATALOG_H

#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_CATALOG_FILES = 3 };

/* What a file is for. ARCHIVE: a .zip of arrays in which the entry's keys name series and graph;
 * taken out of it as KEY.npy they are found too. */
enum wf_catalog_role {
    WF_CATALOG_DATA,
    WF_CATALOG_GRAPH,
    WF_CATALOG_SECOND,
    WF_CATALOG_NAMES,
    WF_CATALOG_ARCHIVE
};

struct wf_catalog_file {
    const char *name;   /* without folder, as it is kept here */
    const char *url;    /* NULL: no plain download, see source */
    const char *digest; /* as published: "sha256:HEX" or "md5:HEX"; NULL: none */
    enum wf_catalog_role role;
};

struct wf_catalog_entry {
    const char *name, *about;
    const char *licence; /* "not stated": its publisher says nothing */
    const char *source;  /* who publishes it; how to get it where that takes more than a download */
    const char *folder;  /* see above; may be NULL */
    struct wf_catalog_file file[WF_CATALOG_FILES]; /* none: made by `dataset synth` alone */
    const char *key, *graph_key; /* of series and graph in their files; NULL: the only one */
    int64_t E, E_too;            /* steps, 0: not known; in another publication of the same */
    int N, C;                    /* nodes; channels as they are loaded */
    int edges;         /* as published, of a graph that changes in all steps; 0: not known */
    int interval_s;    /* 0: not known */
    const char *start; /* of the first row, where the files have no clock; NULL: not known */
    bool rows_are_nodes;
    const char *settings; /* of an experiment, as lines name=value */
};

/* NULL: no such data set. */
const struct wf_catalog_entry *wf_catalog_find(const char *name);
/* All of them, by an index from 0; NULL behind the last. */
const struct wf_catalog_entry *wf_catalog_at(int i);
/* WF_EINVAL, listing the names there are, where there is no such data set. */
enum wf_status wf_catalog_need(const struct wf_catalog_entry **c, const char *name,
                               struct wf_error *err);

/* Finds the files below folder and fills what src says of them, and whether zeros are missing. An
 * adjacency that src names already stays. WF_EIO: files are missing; the message says which, where
 * they were looked for and how to get them. */
enum wf_status wf_catalog_locate(const struct wf_catalog_entry *c, const char *folder,
                                 struct wf_dataset_source *src, struct wf_error *err);

/* Whether what was loaded has the entry's shape; path: its file. A synthetic one may have fewer
 * steps and channels. WF_EINVAL. */
enum wf_status wf_catalog_check(const struct wf_catalog_entry *c, const struct wf_dataset *ds,
                                const char *path, struct wf_error *err);

/* What the entry says, on a few lines. */
void wf_catalog_print(const struct wf_catalog_entry *c, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
