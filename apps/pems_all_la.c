/* pems_all_la - DCRNN on the PeMS sensors of Los Angeles (2,716 sensors, 5 minutes, mph). Options
 * and defaults are those of the reference's experiment. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on PeMS-All-LA",
        .preset = "pgt-dcrnn",
        .settings = "dataset=pems-all-la\nout=results/pems-all-la\nepochs=30\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
