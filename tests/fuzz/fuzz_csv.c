/* Any bytes as a table in CSV and as a list of distances. */
#include <stdint.h>
#include "data/formats/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses between a table, its header rule, and distances. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *name[] = { "1", "2", "3" };
    const struct wf_names ids = { 3, name };
    struct wf_csv c;
    struct wf_adjacency g;
    struct wf_error err = { 0 };
    if (size == 0) return 0;
    if (data[0] % 4 == 3) {
        if (wf_csv_adjacency_parse(data + 1, size - 1, &ids, 0.1, &g, &err) == WF_OK)
            wf_adjacency_free(&g);
    } else if (wf_csv_parse(data + 1, size - 1, (enum wf_csv_header)(data[0] % 4), &c, &err) ==
               WF_OK) {
        wf_csv_free(&c);
    }
    return 0;
}
