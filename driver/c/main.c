/* A bare-metal example for a Zynq: one image with a known result, then the rate.
 *
 * In Vitis: a platform from vivado/penni.xsa, an empty application (C) on its first processor, the files of this folder
 * into its src/. The platform's start-up code loads the bitstream and sets the clocks. Written for Vitis 2022.2 and later;
 * it was compiled with stand-ins for the vendor's headers, and not run on a board. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "xil_cache.h"
#include "xparameters.h"

#define PENNI_FLUSH(address, bytes) Xil_DCacheFlushRange((INTPTR)(address), (bytes))
#define PENNI_INVALIDATE(address, bytes) Xil_DCacheInvalidateRange((INTPTR)(address), (bytes))
#include "penni.h"

#ifndef PENNI_BASE /* as the block design names its blocks; the Makefile or -D may say otherwise */
#define PENNI_BASE XPAR_PENNI_BASEADDR
#endif
#ifndef PENNI_DMA_BASE
#define PENNI_DMA_BASE XPAR_DMA_BASEADDR
#endif

#define BATCH 16u

static uint8_t pixels[BATCH * PENNI_MODEL_IMAGE_BYTES] __attribute__((aligned(64)));
static int32_t results[BATCH * PENNI_MODEL_RESULT_WORDS] __attribute__((aligned(64)));

static int stopped(const struct penni *penni, enum penni_status status)
{
    struct penni_counters c = penni_counters(penni);
    printf("%s\n", penni_text(status));
    printf("images in %" PRIu64 ", out %" PRIu64 "; cycles %" PRIu64 ", busy %" PRIu64 ", starved %" PRIu64
           ", blocked %" PRIu64 "\n",
           c.images_in, c.images_out, c.cycles, c.busy, c.starved, c.blocked);
    return 1;
}

int main(void)
{
    struct penni penni = {PENNI_DMA_BASE, PENNI_BASE, 0};
    struct penni_counters before, after;
    enum penni_status status = penni_open(&penni);
    uint32_t image, word, wrong = 0;

    if (status != PENNI_OK) {
        printf("%s\n", penni_text(status));
        return 1;
    }
    for (image = 0; image < BATCH; image++)
        memcpy(pixels + image * PENNI_MODEL_IMAGE_BYTES, penni_test_image, PENNI_MODEL_IMAGE_BYTES);
    before = penni_counters(&penni);
    status = penni_run(&penni, pixels, results, BATCH);
    after = penni_counters(&penni);
    if (status != PENNI_OK)
        return stopped(&penni, status);
    for (image = 0; image < BATCH; image++)
        for (word = 0; word < PENNI_MODEL_RESULT_WORDS; word++)
            wrong += results[image * PENNI_MODEL_RESULT_WORDS + word] != penni_test_result[word];
    printf("%u images, %u wrong results\n", (unsigned)BATCH, (unsigned)wrong);
    printf("%" PRIu64 " cycles per image, %u predicted\n", (after.cycles - before.cycles) / BATCH,
           (unsigned)PENNI_MODEL_CYCLES_PER_IMAGE);
    return wrong != 0;
}
