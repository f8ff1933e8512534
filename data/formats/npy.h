/* npy.h - numpy's array files: .npy (versions 1 to 3) and .npz (stored or deflated).
 *
 * Reads numbers (f2 f4 f8, i1 to i8, u1 to u8, bool; either byte order, either memory order) as the
 * element type asked for, and one-dimensional texts (U, S). Objects, structures and complex numbers
 * are refused by name; nothing is unpickled, nothing is written. The caller frees arrays and names.
 */
#ifndef WF_NPY_H
#define WF_NPY_H

#include "data/formats/array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read the array of a file, or of the bytes of one: numbers as elements of the given type, or a
 * list of texts. WF_EFORMAT, WF_EIO, WF_ENOMEM; on failure *out is empty. */
enum wf_status wf_npy_parse(const void *bytes, size_t size, enum wf_elem elem, struct wf_array *out,
                            struct wf_error *err);
enum wf_status wf_npy_parse_names(const void *bytes, size_t size, struct wf_names *out,
                                  struct wf_error *err);
enum wf_status wf_npy_read(const char *path, enum wf_elem elem, struct wf_array *out,
                           struct wf_error *err);
enum wf_status wf_npy_read_names(const char *path, struct wf_names *out, struct wf_error *err);

/* An archive of named arrays (.npz); names are without ".npy". Checksums are verified as members
 * are read. With wf_npz_open_bytes, bytes must stay until wf_npz_close. On failure *z is NULL. */
struct wf_npz;
enum wf_status wf_npz_open(struct wf_npz **z, const char *path, struct wf_error *err);
enum wf_status wf_npz_open_bytes(struct wf_npz **z, const void *bytes, size_t size,
                                 struct wf_error *err);
void wf_npz_close(struct wf_npz *z);
enum wf_status wf_npz_list(const struct wf_npz *z, struct wf_names *out, struct wf_error *err);
enum wf_status wf_npz_read(const struct wf_npz *z, const char *name, enum wf_elem elem,
                           struct wf_array *out, struct wf_error *err);
enum wf_status wf_npz_read_names(const struct wf_npz *z, const char *name, struct wf_names *out,
                                 struct wf_error *err);

#ifdef __cplusplus
}
#endif
#endif
