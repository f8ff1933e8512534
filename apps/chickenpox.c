/* chickenpox - DCRNN on weekly cases of chickenpox in 20 Hungarian counties (standardised). Options
 * and defaults as the reference's experiment. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on chickenpox cases",
        .preset = "model=dcrnn-pgt\ndataset=chickenpox\nout=results/chickenpox\n"
                  "mode=base\nepochs=100\nbatch-size=4\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\nshuffle=False\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
