/* catalog.h - the data sets that are known by name: their files, shape, clock, where to get them.
 *
 * A file is looked for in FOLDER/NAME/, FOLDER/ and, where one is given, FOLDER/entry->folder/. A
 * stand-in that `dataset synth NAME` made is FOLDER/NAME.h5 and says so itself; it is taken where
 * the real files are not there. Reads no values and fetches nothing. The entries are constants;
 * there is nothing to free. */
#ifndef WF_CATALOG_H
#define WF_CATALOG_H

#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_CATALOG_FILES = 3 }; /* most files of a data set */

/* What a file is for. */
enum wf_catalog_role {
    WF_CATALOG_DATA,   /* the series */
    WF_CATALOG_GRAPH,  /* the graph */
    WF_CATALOG_SECOND, /* a table of further channels */
    WF_CATALOG_NAMES,  /* the names of the nodes */
    WF_CATALOG_ARCHIVE /* a .zip of arrays, in which the entry's keys name series and graph; arrays
                        * that were taken out of it, as KEY.npy, are found too */
};

struct wf_catalog_file {
    const char *name;   /* its name here, without folder */
    const char *url;    /* NULL: it cannot simply be downloaded, see wf_catalog_entry.source */
    const char *digest; /* as published: "sha256:HEX" or "md5:HEX"; NULL: none is published */
    enum wf_catalog_role role;
};

struct wf_catalog_entry {
    const char *name, *about;
    const char *licence; /* "not stated": its publisher says nothing */
    const char *source;  /* who publishes it; how to get it where that takes more than a download */
    const char *folder;  /* another folder where its files may lie, see above; may be NULL */
    struct wf_catalog_file file[WF_CATALOG_FILES]; /* none: only `dataset synth` makes it */
    const char *key, *graph_key; /* names of series and graph in their files; NULL: the only one */
    int64_t E;                   /* steps; 0: not known */
    int64_t E_too;       /* steps in another publication of the same set; 0: there is none */
    int N, C;            /* nodes, and channels as they are loaded */
    int edges;           /* as published; of a graph that changes, in all steps; 0: not known */
    int interval_s;      /* 0: not known */
    const char *start;   /* time of the first row, where the files have no clock; NULL: not known */
    bool rows_are_nodes; /* as in struct wf_dataset_source */
    const char *settings; /* what suits the set in an experiment, as lines name=value */
};

/* Returns the data set of that name; NULL: there is none. */
const struct wf_catalog_entry *wf_catalog_find(const char *name);
/* Returns the i-th data set, from 0; NULL behind the last. */
const struct wf_catalog_entry *wf_catalog_at(int i);
/* Finds the data set of that name. WF_EINVAL: there is none; the message lists all names. */
enum wf_status wf_catalog_need(const struct wf_catalog_entry **c, const char *name,
                               struct wf_error *err);

/* Finds the files below folder and fills what src says of them, and whether zeros are missing. An
 * adjacency that src names already stays. WF_EIO: files are missing; the message says which, where
 * they were looked for and how to get them. */
enum wf_status wf_catalog_locate(const struct wf_catalog_entry *c, const char *folder,
                                 struct wf_dataset_source *src, struct wf_error *err);

/* Checks that what was loaded from path has the entry's shape; else WF_EINVAL. A synthetic set may
 * have fewer steps and channels. */
enum wf_status wf_catalog_check(const struct wf_catalog_entry *c, const struct wf_dataset *ds,
                                const char *path, struct wf_error *err);

/* Prints what the entry says, on a few lines. */
void wf_catalog_print(const struct wf_catalog_entry *c, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
