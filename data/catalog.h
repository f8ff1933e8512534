/* catalog.h - the data sets that are known by name: their files, shape, clock, where to get them.
 *
 * A file is looked for in FOLDER/NAME/, FOLDER/ and, where one is given, FOLDER/entry->folder/. A
 * stand-in that `dataset synth NAME` made is FOLDER/NAME.h5 and says so itself; it is taken where
 * the real files are not there. */
#ifndef WF_CATALOG_H
#define WF_CATALOG_H

#include "data/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WF_CATALOG_FILES = 3 };

struct wf_catalog_file {
    const char *name;   /* as its publisher names it, without folder */
    const char *url;    /* NULL: nobody may pass it on, or it is part of an archive */
    const char *digest; /* as published: "sha256:HEX" or "md5:HEX"; NULL: none */
};

struct wf_catalog_entry {
    const char *name, *about;
    const char *licence; /* "not stated": its publisher says nothing */
    const char *source;  /* who publishes it; how to get it where that takes more than a download */
    const char *folder;  /* see above; may be NULL */
    struct wf_catalog_file file[WF_CATALOG_FILES]; /* the series first, then the graph */
    const char *key;      /* of the series in its file; NULL: the only one */
    int64_t E;            /* steps */
    int N, C;             /* nodes; channels in the file */
    int edges;            /* self-loops too; of a graph that changes, of all steps; 0: not known */
    int interval_s;       /* 0: no clock */
    const char *settings; /* of an experiment, as lines name=value */
};

/* NULL: no such data set. */
const struct wf_catalog_entry *wf_catalog_find(const char *name);
/* All of them, by an index from 0; NULL behind the last. */
const struct wf_catalog_entry *wf_catalog_at(int i);

#ifdef __cplusplus
}
#endif
#endif
