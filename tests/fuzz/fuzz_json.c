#include <stdint.h>
#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wf_temporal_graph g;
    struct wf_edge_union u;
    struct wf_error err = { 0 };
    if (wf_json_parse(data, size, &g, &err) != WF_OK) return 0;
    if (wf_edge_union_make(&u, &g, &err) == WF_OK) wf_edge_union_free(&u);
    wf_temporal_graph_free(&g);
    return 0;
}
