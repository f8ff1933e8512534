/* status.h - how the library reports failure.
 *
 * Functions that do I/O, allocate or communicate return an enum wf_status and, when it is not
 * WF_OK, leave one line of text in the caller's struct wf_error: which file, key or shape, what was
 * found and what was expected. Ops on a tape do not return a status; there the first error sticks
 * to the tape (autograd/tape.h). Only a broken invariant of the library itself aborts (WF_CHECK).
 */
#ifndef WF_STATUS_H
#define WF_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define WF_STATUS_MAP(X)                                                                           \
    X(OK, "ok")                                                                                    \
    X(EINVAL, "invalid argument or shape")                                                         \
    X(ENOMEM, "out of memory")                                                                     \
    X(EIO, "input/output error")                                                                   \
    X(EFORMAT, "malformed or unsupported file")                                                    \
    X(EDEVICE, "device or device library error")                                                   \
    X(ECOMM, "communication error")                                                                \
    X(EINTR, "interrupted")                                                                        \
    X(ENUMERIC, "not a finite number")

enum wf_status {
#define X(name, text) WF_##name,
    WF_STATUS_MAP(X)
#undef X
};

/* The error of a call. A failing call fills it, a successful one leaves it alone. Start from { 0 }.
 */
struct wf_error {
    enum wf_status status;
    char message[480];
};

#if defined(__GNUC__)
#define WF_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define WF_PRINTF(fmt, args)
#endif

const char *wf_status_text(enum wf_status s);

/* Writes status and message into e (which may be NULL) and returns s. */
enum wf_status wf_fail(struct wf_error *e, enum wf_status s, const char *fmt, ...) WF_PRINTF(3, 4);

/* Puts "text: " in front of the message of a call that failed; returns e->status. */
enum wf_status wf_fail_in(struct wf_error *e, const char *fmt, ...) WF_PRINTF(2, 3);

/* Returns from the calling function when the call fails. */
#define WF_TRY(call)                                                                               \
    do {                                                                                           \
        enum wf_status wf_try_ = (call);                                                           \
        if (wf_try_ != WF_OK) return wf_try_;                                                      \
    } while (0)

/* Aborts, with file and line, when an invariant of the library is broken; active in every build. */
#define WF_CHECK(cond)                                                                             \
    do {                                                                                           \
        if (!(cond)) wf_check_failed(#cond, __FILE__, __LINE__);                                   \
    } while (0)
void wf_check_failed(const char *cond, const char *file, int line);

#ifdef __cplusplus
}
#endif
#endif
