/* windmill - DCRNN on hourly output of 319 windmills (Windmill-Large). Options and defaults are
 * those of the reference's experiment. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = { .about = "train DCRNN on the output of windmills",
                                       .preset = "pgt-dcrnn",
                                       .settings =
                                           "dataset=windmill-large\nout=results/windmill\n" };
    return wf_experiment_main(argc, argv, &app);
}
