/* pems - DCRNN on all of PeMS (11,160 sensors of California, a year of 5 minutes, mph). Options
 * and defaults are those of the reference's experiment; --mode index is the one that fits into
 * memory. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = { .about = "train DCRNN on the whole of PeMS",
                                       .preset = "pgt-dcrnn",
                                       .settings = "dataset=pems\nout=results/pems\nepochs=30\n" };
    return wf_experiment_main(argc, argv, &app);
}
