/* clock.h - the time between two moments of a run. */
#ifndef WF_CLOCK_H
#define WF_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds of a clock that only goes forward; where it began means nothing. */
double wf_now(void);

#ifdef __cplusplus
}
#endif
#endif
