/* dataset - lists, makes, downloads, describes and converts data sets. */
#include "apps/dataset/commands.h"

int main(int argc, char **argv)
{
    return wf_dataset_main(argc, argv);
}
