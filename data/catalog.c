#include "data/catalog.h"
#include <string.h>

static const struct wf_catalog_entry entries[] = {
#define ENTRY(...) { __VA_ARGS__ },
#include "data/catalog.def"
#undef ENTRY
};
enum { ENTRIES = sizeof entries / sizeof *entries };

const struct wf_catalog_entry *wf_catalog_at(int i)
{
    return i >= 0 && i < ENTRIES ? &entries[i] : NULL;
}

const struct wf_catalog_entry *wf_catalog_find(const char *name)
{
    for (int i = 0; i < ENTRIES; i++)
        if (strcmp(entries[i].name, name) == 0) return &entries[i];
    return NULL;
}
