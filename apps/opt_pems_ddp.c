/* opt_pems_ddp - data-parallel training on partitioned data, shuffled batch by batch: start it with
 * mpirun -n P. Options are those of the reference's experiment of this name, where --mode
 * dask-index means partitioned and dask means ddp-batch. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_word words[] = { { "mode", "dask-index", "partitioned" },
                                            { "mode", "dask", "ddp-batch" },
                                            { NULL, NULL, NULL } };
    static const struct wf_app app = {
        .about = "train on several ranks, each with its part of the series",
        .preset = "pgt-dcrnn",
        .settings = "dataset=pems-bay\nout=results/opt-pems-ddp\nmode=index\nepochs=30\n",
        .words = words
    };
    return wf_experiment_main(argc, argv, &app);
}
