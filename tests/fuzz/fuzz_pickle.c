/* Any bytes as a pickle. */
#include <stdint.h>
#include "data/formats/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wf_adjacency g;
    struct wf_error err = { 0 };
    if (wf_pickle_adjacency_parse(data, size, &g, &err) == WF_OK) wf_adjacency_free(&g);
    return 0;
}
