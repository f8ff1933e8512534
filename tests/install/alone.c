/* alone.c - a user's program that links libweft_dist: the only rank of its run adds up its own. */
#include <stdio.h>
#include "dist/dist.h"

int main(void)
{
    struct wf_dist d = wf_dist_alone();
    struct wf_error err = { 0 };
    double v[2] = { 1, 2 };
    if (wf_dist_sum(&d, v, 2, &err) != WF_OK) return fprintf(stderr, "%s\n", err.message), 1;
    wf_dist_free(&d);
    return !(d.size == 1 && v[0] == 1 && v[1] == 2);
}
