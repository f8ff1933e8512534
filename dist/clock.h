/* clock.h - the time between two moments of a run. */
#ifndef WF_CLOCK_H
#define WF_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the seconds of a clock that only goes forward (CLOCK_MONOTONIC). Only differences mean
 * something. */
double wf_now(void);

#ifdef __cplusplus
}
#endif
#endif
