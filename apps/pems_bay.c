/* pems_bay - DCRNN on PEMS-BAY (325 sensors, 5 minutes, mph). Options and defaults are those of the
 * reference's experiment; --preset dcrnn-paper trains the paper's model. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = { .about = "train DCRNN on PEMS-BAY",
                                       .preset = "pgt-dcrnn",
                                       .settings = "dataset=pems-bay\nout=results/pems-bay\n" };
    return wf_experiment_main(argc, argv, &app);
}
