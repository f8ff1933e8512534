/* windmill - DCRNN on hourly output of 319 windmills (Windmill-Large). Options and defaults as the
 * reference's experiment. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on the output of windmills",
        .preset = "model=dcrnn-pgt\ndataset=windmill-large\nout=results/windmill\n"
                  "mode=base\nepochs=100\nbatch-size=64\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
