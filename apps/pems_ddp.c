/* pems_ddp - data-parallel training on the PeMS data sets, every rank with the whole series: start
 * it with mpirun -n P. Options and defaults are those of the reference's experiment of this name,
 * where --mode dask means ddp. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_word words[] = { { "mode", "dask", "ddp" }, { NULL, NULL, NULL } };
    static const struct wf_app app = {
        .about = "train on several ranks, each with the whole series",
        .preset = "pgt-dcrnn",
        .settings = "dataset=pems-bay\nout=results/pems-ddp\nmode=index\nepochs=30\n",
        .words = words
    };
    return wf_experiment_main(argc, argv, &app);
}
