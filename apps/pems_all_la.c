/* pems_all_la - DCRNN on the PeMS sensors of Los Angeles (2,716 sensors, 5 minutes, mph). Options
 * and defaults as the reference's experiment. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on PeMS-All-LA",
        .preset = "model=dcrnn-pgt\ndataset=pems-all-la\nout=results/pems-all-la\n"
                  "mode=base\nepochs=30\nbatch-size=64\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
