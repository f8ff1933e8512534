/* metr_la - DCRNN on METR-LA (207 sensors, 5 minutes, mph). Options and defaults are those of the
 * reference's experiment; --preset dcrnn-paper trains the paper's model. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_app app = { .about = "train DCRNN on METR-LA",
                                       .preset = "pgt-dcrnn",
                                       .settings = "dataset=metr-la\nout=results/metr-la\n" };
    return wf_experiment_main(argc, argv, &app);
}
