/* chickenpox - DCRNN on weekly cases of chickenpox in 20 Hungarian counties (standardised). Options
 * and defaults are those of the reference's experiment. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = {
        .about = "train DCRNN on chickenpox cases",
        .preset = "pgt-dcrnn",
        .settings = "dataset=chickenpox\nout=results/chickenpox\nbatch-size=4\nshuffle=False\n"
    };
    return wf_experiment_main(argc, argv, &app);
}
