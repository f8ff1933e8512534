/* Any bytes as an .npy file and as an .npz archive. */
#include <stdint.h>
#include "data/formats/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void archive(const uint8_t *data, size_t size)
{
    struct wf_npz *z;
    struct wf_names names, texts;
    struct wf_array a;
    struct wf_error err = { 0 };
    if (wf_npz_open_bytes(&z, data, size, &err) != WF_OK) return;
    if (wf_npz_list(z, &names, &err) == WF_OK) {
        for (ptrdiff_t i = 0; i < names.count; i++) {
            if (wf_npz_read(z, names.name[i], WF_F32, &a, &err) == WF_OK) wf_array_free(&a);
            if (wf_npz_read_names(z, names.name[i], &texts, &err) == WF_OK) wf_names_free(&texts);
        }
        wf_names_free(&names);
    }
    wf_npz_close(z);
}

/* The first byte chooses between an archive, and one array as one of the element types or texts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wf_array a;
    struct wf_names n;
    struct wf_error err = { 0 };
    if (size == 0) return 0;
    int mode = data[0] % 5;
    if (mode == 4)
        archive(data + 1, size - 1);
    else if (mode == 3) {
        if (wf_npy_parse_names(data + 1, size - 1, &n, &err) == WF_OK) wf_names_free(&n);
    } else if (wf_npy_parse(data + 1, size - 1, (enum wf_elem)mode, &a, &err) == WF_OK) {
        wf_array_free(&a);
    }
    return 0;
}
