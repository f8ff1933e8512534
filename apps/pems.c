/* pems - DCRNN on all of PeMS (11,160 sensors of California, a year of 5 minutes, mph). Options and
 * defaults as the reference's experiment; --mode index is the one that fits into memory. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on the whole of PeMS",
        .preset = "model=dcrnn-pgt\ndataset=pems\nout=results/pems\n"
                  "mode=base\nepochs=30\nbatch-size=64\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
