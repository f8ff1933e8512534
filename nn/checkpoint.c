#include "nn/checkpoint.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "data/file.h"
#include "data/formats/h5.h"
#include "tensor/alloc.h"

enum { FORMAT = 1, SEAL = 32, SECTIONS = 5, NAME = WF_NAME_TEXT + 16 };

/* A block, and the group of the file that holds it: one dataset for each parameter, or with `state`
 * for each state slot, under its name. */
struct section {
    const char *group;
    struct wf_tensor *block;
    bool state;
};

/* Lists the sections that c asks for; returns how many. */
static int sections(struct section out[SECTIONS], const struct wf_checkpoint *c)
{
    int n = 0;
    out[n++] = (struct section){ "params", &c->params->value, false };
    out[n++] = (struct section){ "state", &c->params->state, true };
    if (!c->optim) return n;
    out[n++] = (struct section){ "optim/m", &c->optim->m, false };
    if (c->optim->v.data) out[n++] = (struct section){ "optim/v", &c->optim->v, false };
    if (c->optim->vmax.data) out[n++] = (struct section){ "optim/vmax", &c->optim->vmax, false };
    return n;
}

/* The shape of t around the numbers at `data`. */
static struct wf_array as_array(const struct wf_tensor *t, wf_real *data)
{
    struct wf_array a = { .elem = sizeof *data == sizeof(float) ? WF_F32 : WF_F64,
                          .ndim = t->ndim,
                          .count = wf_tensor_count(t),
                          .data = data };
    for (int i = 0; i < t->ndim; i++) a.dim[i] = t->shape[i];
    return a;
}

/* "group/name" */
static const char *member(char text[NAME], const char *group, const char *name)
{
    snprintf(text, NAME, "%s/%s", group, name);
    return text;
}

static enum wf_status check_arguments(const char *path, const struct wf_checkpoint *c,
                                      struct wf_error *err)
{
    if (!c->params->value.data)
        return wf_fail(err, WF_EINVAL, "%s: the parameters are not committed", path);
    if (c->optim && c->optim->ps != c->params)
        return wf_fail(err, WF_EINVAL, "%s: the optimizer belongs to other parameters", path);
    return WF_OK;
}

/* Writes the last bytes of a file to text: the FNV-1a checksum of all bytes before them, in
 * hexadecimal. A change of any single byte always changes the checksum, as each of its steps is a
 * bijection. */
static void seal(char text[SEAL + 1], const char *bytes, size_t size)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
    snprintf(text, SEAL + 1, "weft checkpoint %016llx", (unsigned long long)h);
}

static enum wf_status append_seal(const char *path, struct wf_error *err)
{
    char *bytes, text[SEAL + 1];
    size_t size;
    WF_TRY(wf_file_read(path, &bytes, &size, err));
    seal(text, bytes, size);
    wf_free(bytes);
    FILE *f = fopen(path, "ab");
    bool done = f && fwrite(text, 1, SEAL, f) == SEAL;
    int reason = errno;
    if (f && fclose(f) != 0) {
        if (done) reason = errno;
        done = false;
    }
    return done ? WF_OK : wf_fail(err, WF_EIO, "%s: cannot write: %s", path, strerror(reason));
}

static enum wf_status write_section(struct wf_h5 *f, const struct wf_params *ps,
                                    const struct section *s, wf_real *host, struct wf_error *err)
{
    char name[NAME];
    enum wf_status status = wf_tensor_download(s->block, host);
    if (status) return wf_fail(err, status, "cannot download '%s' from %s", s->group, ps->be->name);
    WF_TRY(wf_h5_group(f, s->group, err));
    for (int i = 0; i < ps->count; i++) {
        const struct wf_param *p = ps->param[i];
        if (p->state != s->state) continue;
        struct wf_array a = as_array(&p->value, host + wf_params_offset(ps, p));
        WF_TRY(wf_h5_write(f, member(name, s->group, p->name), &a, err));
    }
    return WF_OK;
}

static enum wf_status write_sections(struct wf_h5 *f, const struct wf_checkpoint *c,
                                     struct wf_error *err)
{
    struct section s[SECTIONS];
    int n = sections(s, c);
    for (int i = 0; i < n; i++) {
        ptrdiff_t count = wf_tensor_count(s[i].block);
        wf_real *host = wf_malloc((size_t)count * sizeof *host);
        if (!host) return wf_fail(err, WF_ENOMEM, "no memory for '%s'", s[i].group);
        enum wf_status status = write_section(f, c->params, &s[i], host, err);
        wf_free(host);
        if (status) return status;
    }
    return WF_OK;
}

static enum wf_status write_optim(struct wf_h5 *f, const struct wf_optim_config *c,
                                  struct wf_error *err)
{
    const struct {
        const char *name;
        double value;
    } row[] = { { "lr", c->lr },
                { "beta1", c->beta1 },
                { "beta2", c->beta2 },
                { "eps", c->eps },
                { "weight_decay", c->weight_decay },
                { "momentum", c->momentum },
                { "clip", c->clip } };
    WF_TRY(wf_h5_group(f, "optim", err));
    WF_TRY(wf_h5_set_text(f, "optim", "kind", c->kind == WF_SGD ? "sgd" : "adam", err));
    WF_TRY(wf_h5_set_int(f, "optim", "amsgrad", c->amsgrad, err));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        WF_TRY(wf_h5_set_double(f, "optim", row[i].name, row[i].value, err));
    return WF_OK;
}

static enum wf_status write_train(struct wf_h5 *f, const struct wf_train_state *t,
                                  struct wf_error *err)
{
    WF_TRY(wf_h5_group(f, "train", err));
    WF_TRY(wf_h5_set_int(f, "train", "seed", (int64_t)t->seed, err));
    WF_TRY(wf_h5_set_int(f, "train", "step", t->step, err));
    WF_TRY(wf_h5_set_int(f, "train", "epoch", t->epoch, err));
    WF_TRY(wf_h5_set_int(f, "train", "seen", t->seen, err));
    WF_TRY(wf_h5_set_int(f, "train", "ranks", t->ranks, err));
    WF_TRY(wf_h5_set_int(f, "train", "patience", t->patience, err));
    WF_TRY(wf_h5_set_double(f, "train", "loss_sum", t->loss_sum, err));
    WF_TRY(wf_h5_set_double(f, "train", "loss_count", t->loss_count, err));
    WF_TRY(wf_h5_set_double(f, "train", "seconds", t->seconds, err));
    return wf_h5_set_double(f, "train", "best", t->best, err);
}

/* Long texts are datasets, because an attribute holds no more than 64 KiB. */
static enum wf_status write_text(struct wf_h5 *f, const char *name, const char *text,
                                 struct wf_error *err)
{
    char *list[1] = { (char *)(uintptr_t)(text ? text : "") };
    return wf_h5_write_names(f, name, &(struct wf_names){ 1, list }, err);
}

static enum wf_status write_all(struct wf_h5 *f, const struct wf_checkpoint *c,
                                struct wf_error *err)
{
    WF_TRY(wf_h5_set_text(f, "/", "library", "weft", err));
    WF_TRY(wf_h5_set_int(f, "/", "format", FORMAT, err));
    WF_TRY(write_text(f, "model", c->model, err));
    WF_TRY(write_text(f, "config", c->config, err));
    if (c->optim) WF_TRY(write_optim(f, &c->optim->cfg, err));
    if (c->train) WF_TRY(write_train(f, c->train, err));
    return write_sections(f, c, err);
}

/* Writes the complete file, checksum included, under its temporary name. */
static enum wf_status write_file(const char *temporary, const struct wf_checkpoint *c,
                                 struct wf_error *err)
{
    struct wf_h5 *f;
    WF_TRY(wf_h5_create(&f, temporary, err));
    enum wf_status s = write_all(f, c, err);
    if (s) {
        wf_h5_close(f);
        return s;
    }
    WF_TRY(wf_h5_commit(f, err));
    return append_seal(temporary, err);
}

/* After a failure: removes the temporary file, and the empty one that HDF5 leaves where it fails to
 * create its own; and puts the message on one line, as HDF5's may have several. */
static void clean_up(const char *temporary, struct wf_error *err)
{
    char *inner = wf_file_temporary(temporary);
    if (inner) remove(inner);
    wf_free(inner);
    remove(temporary);
    for (char *p = err ? strchr(err->message, '\n') : NULL; p; p = strchr(p, '\n')) *p = ' ';
}

enum wf_status wf_checkpoint_save(const char *path, const struct wf_checkpoint *c,
                                  struct wf_error *err)
{
    WF_TRY(check_arguments(path, c, err));
    char *temporary = wf_file_temporary(path);
    if (!temporary) return wf_fail(err, WF_ENOMEM, "%s: no memory to write it", path);
    enum wf_status s = write_file(temporary, c, err);
    if (!s) s = wf_file_commit(temporary, path, err);
    if (s) clean_up(temporary, err);
    wf_free(temporary);
    return wf_file_context(s, path, err);
}

static enum wf_status check_seal(const char *bytes, size_t size, struct wf_error *err)
{
    char text[SEAL + 1];
    if (size < SEAL || memcmp(bytes + size - SEAL, "weft checkpoint ", 16) != 0)
        return wf_fail(err, WF_EFORMAT,
                       "its %zu bytes do not end in a checksum: cut off, or no checkpoint", size);
    seal(text, bytes, size - SEAL);
    if (memcmp(bytes + size - SEAL, text, SEAL) != 0)
        return wf_fail(err, WF_EFORMAT, "damaged: its checksum is %.16s, its contents have %s",
                       bytes + size - 16, text + 16);
    return WF_OK;
}

/* An open checkpoint: the bytes of the file, and the HDF5 file that they hold. */
struct reader {
    char *bytes;
    struct wf_h5 *f;
};

static void reader_close(struct reader *r)
{
    wf_h5_close(r->f);
    wf_free(r->bytes);
}

static enum wf_status reader_check(struct reader *r, size_t size, struct wf_error *err)
{
    int64_t format;
    WF_TRY(check_seal(r->bytes, size, err));
    WF_TRY(wf_h5_open_bytes(&r->f, r->bytes, size - SEAL, err));
    WF_TRY(wf_h5_attr_int(r->f, "/", "format", &format, err));
    if (format == FORMAT) return WF_OK;
    return wf_fail(err, WF_EFORMAT, "checkpoint format %lld, expected %d", (long long)format,
                   FORMAT);
}

static enum wf_status reader_open(struct reader *r, const char *path, struct wf_error *err)
{
    size_t size;
    *r = (struct reader){ 0 };
    WF_TRY(wf_file_read(path, &r->bytes, &size, err));
    enum wf_status s = reader_check(r, size, err);
    if (s) reader_close(r);
    return s;
}

static enum wf_status read_text(const struct wf_h5 *f, const char *name, char **out,
                                struct wf_error *err)
{
    struct wf_names list;
    enum wf_status s = WF_OK;
    WF_TRY(wf_h5_read_names(f, name, &list, err));
    if (list.count != 1) {
        s = wf_fail(err, WF_EFORMAT, "'%s' holds %td texts, expected 1", name, list.count);
    } else {
        *out = list.name[0];
        list.name[0] = NULL;
    }
    wf_names_free(&list);
    return s;
}

static enum wf_status check_model(const struct wf_h5 *f, const char *model, struct wf_error *err)
{
    char *found = NULL;
    if (!model) return WF_OK;
    WF_TRY(read_text(f, "model", &found, err));
    enum wf_status s = WF_OK;
    if (strcmp(found, model) != 0)
        s = wf_fail(err, WF_EINVAL, "model is '%s', expected '%s'", found, model);
    wf_free(found);
    return s;
}

static enum wf_status check_optim(const struct wf_h5 *f, const struct wf_optim_config *c,
                                  struct wf_error *err)
{
    const char *want = c->kind == WF_SGD ? "sgd" : "adam";
    char *kind;
    int64_t amsgrad;
    if (wf_h5_kind(f, "optim") != WF_H5_GROUP)
        return wf_fail(err, WF_EINVAL, "holds no optimizer, expected %s", want);
    WF_TRY(wf_h5_attr_int(f, "optim", "amsgrad", &amsgrad, err));
    WF_TRY(wf_h5_attr_text(f, "optim", "kind", &kind, err));
    enum wf_status s = WF_OK;
    if (strcmp(kind, want) != 0 || amsgrad != c->amsgrad)
        s = wf_fail(err, WF_EINVAL, "optimizer is %s%s, expected %s%s", kind,
                    amsgrad ? " with amsgrad" : "", want, c->amsgrad ? " with amsgrad" : "");
    wf_free(kind);
    return s;
}

static enum wf_status read_int(const struct wf_h5 *f, const char *name, int *out,
                               struct wf_error *err)
{
    int64_t v;
    WF_TRY(wf_h5_attr_int(f, "train", name, &v, err));
    if (v < INT_MIN || v > INT_MAX)
        return wf_fail(err, WF_EFORMAT, "%s is %lld, expected an int", name, (long long)v);
    *out = (int)v;
    return WF_OK;
}

static enum wf_status read_train(const struct wf_h5 *f, struct wf_train_state *t,
                                 struct wf_error *err)
{
    int64_t seed;
    if (wf_h5_kind(f, "train") != WF_H5_GROUP)
        return wf_fail(err, WF_EINVAL, "holds parameters alone, expected a training run");
    WF_TRY(wf_h5_attr_int(f, "train", "seed", &seed, err));
    t->seed = (uint64_t)seed;
    WF_TRY(wf_h5_attr_int(f, "train", "step", &t->step, err));
    WF_TRY(read_int(f, "epoch", &t->epoch, err));
    WF_TRY(read_int(f, "seen", &t->seen, err));
    WF_TRY(read_int(f, "ranks", &t->ranks, err));
    WF_TRY(read_int(f, "patience", &t->patience, err));
    WF_TRY(wf_h5_attr_double(f, "train", "loss_sum", &t->loss_sum, err));
    WF_TRY(wf_h5_attr_double(f, "train", "loss_count", &t->loss_count, err));
    t->seconds = 0; /* not in older files */
    if (wf_h5_has_attr(f, "train", "seconds"))
        WF_TRY(wf_h5_attr_double(f, "train", "seconds", &t->seconds, err));
    return wf_h5_attr_double(f, "train", "best", &t->best, err);
}

static enum wf_status read_member(const struct wf_h5 *f, const char *name,
                                  const struct wf_tensor *t, wf_real *out, struct wf_error *err)
{
    char have[96], want[96];
    struct wf_array a, mine = as_array(t, out);
    if (wf_h5_kind(f, name) != WF_H5_DATASET)
        return wf_fail(err, WF_EINVAL, "'%s' is missing", name);
    WF_TRY(wf_h5_shape(f, name, &a, err));
    if (a.ndim != mine.ndim || memcmp(a.dim, mine.dim, (size_t)a.ndim * sizeof *a.dim) != 0)
        return wf_fail(err, WF_EINVAL, "'%s' has shape %s, expected %s", name,
                       wf_array_shape(have, sizeof have, a.ndim, a.dim),
                       wf_array_shape(want, sizeof want, mine.ndim, mine.dim));
    WF_TRY(wf_h5_read(f, name, mine.elem, &a, err));
    memcpy(out, a.data, (size_t)a.count * sizeof *out);
    wf_array_free(&a);
    return WF_OK;
}

/* Refuses a name in the file that the model does not have. */
static enum wf_status check_members(const struct wf_h5 *f, const struct wf_params *ps,
                                    const struct section *s, struct wf_error *err)
{
    struct wf_names list;
    enum wf_status status = WF_OK;
    WF_TRY(wf_h5_list(f, s->group, &list, err));
    for (ptrdiff_t i = 0; i < list.count && !status; i++) {
        const struct wf_param *p = wf_params_find(ps, list.name[i]);
        if (!p || p->state != s->state)
            status = wf_fail(err, WF_EINVAL, "holds '%s/%s', which the model does not have",
                             s->group, list.name[i]);
    }
    wf_names_free(&list);
    return status;
}

static enum wf_status read_section(const struct wf_h5 *f, const struct wf_params *ps,
                                   const struct section *s, wf_real *host, struct wf_error *err)
{
    char name[NAME];
    for (int i = 0; i < ps->count; i++) {
        const struct wf_param *p = ps->param[i];
        if (p->state != s->state) continue;
        member(name, s->group, p->name);
        WF_TRY(read_member(f, name, &p->value, host + wf_params_offset(ps, p), err));
    }
    return check_members(f, ps, s, err);
}

/* Reads all that c asks for into host memory, where padding is 0, and only then copies it to where
 * it belongs. */
static enum wf_status load_all(const struct wf_h5 *f, const struct wf_checkpoint *c,
                               wf_real *host[SECTIONS], struct wf_error *err)
{
    struct section s[SECTIONS];
    struct wf_train_state train;
    int n = sections(s, c);
    WF_TRY(check_model(f, c->model, err));
    if (c->optim) WF_TRY(check_optim(f, &c->optim->cfg, err));
    if (c->train) WF_TRY(read_train(f, &train, err));
    for (int i = 0; i < n; i++) {
        host[i] = wf_calloc((size_t)wf_tensor_count(s[i].block), sizeof *host[i]);
        if (!host[i]) return wf_fail(err, WF_ENOMEM, "no memory for '%s'", s[i].group);
        WF_TRY(read_section(f, c->params, &s[i], host[i], err));
    }
    for (int i = 0; i < n; i++) {
        enum wf_status status = wf_tensor_upload(s[i].block, host[i]);
        if (status)
            return wf_fail(err, status, "cannot upload '%s' to %s", s[i].group,
                           c->params->be->name);
    }
    if (c->train) *c->train = train;
    return WF_OK;
}

enum wf_status wf_checkpoint_load(const char *path, const struct wf_checkpoint *c,
                                  struct wf_error *err)
{
    struct reader r;
    wf_real *host[SECTIONS] = { NULL };
    WF_TRY(check_arguments(path, c, err));
    WF_TRY(wf_file_context(reader_open(&r, path, err), path, err));
    enum wf_status s = load_all(r.f, c, host, err);
    for (int i = 0; i < SECTIONS; i++) wf_free(host[i]);
    reader_close(&r);
    return wf_file_context(s, path, err);
}

enum wf_status wf_checkpoint_read_config(const char *path, char **model, char **config,
                                         struct wf_error *err)
{
    struct reader r;
    *model = *config = NULL;
    WF_TRY(wf_file_context(reader_open(&r, path, err), path, err));
    enum wf_status s = read_text(r.f, "model", model, err);
    if (!s) s = read_text(r.f, "config", config, err);
    reader_close(&r);
    if (s) {
        wf_free(*model);
        *model = NULL;
    }
    return wf_file_context(s, path, err);
}
