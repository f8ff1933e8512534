/* pems_bay - DCRNN on PEMS-BAY (325 sensors, 5 minutes, mph). Options and defaults as the
 * reference's experiment; --preset dcrnn-paper trains the paper's model. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on PEMS-BAY",
        .preset = "model=dcrnn-pgt\ndataset=pems-bay\nout=results/pems-bay\n"
                  "mode=base\nepochs=100\nbatch-size=64\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
