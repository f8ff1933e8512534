/* real.h - the one floating-point type of tensors: float, or double in the `double` build that
 * serves gradient checks and parity tests. */
#ifndef WF_REAL_H
#define WF_REAL_H

#ifdef WF_NO_REAL
#error                                                                                             \
    "This file is compiled once for both precisions, so it must not know wf_real (see CMakeLists.txt)."
#endif

#ifdef WF_DOUBLE
typedef double wf_real;
#define WF_REAL_EPS  2.220446049250313e-16
#define WF_REAL_NAME "double"
#else
typedef float wf_real;
#define WF_REAL_EPS  1.1920928955078125e-07
#define WF_REAL_NAME "float"
#endif

#endif
