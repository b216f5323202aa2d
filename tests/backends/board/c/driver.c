/* penni.h as a library. */
#include "hooks.h"
#define PENNI_FLUSH(address, bytes) flush_hook((uint64_t)(address), (bytes))
#define PENNI_INVALIDATE(address, bytes) invalidate_hook((uint64_t)(address), (bytes))
#include "penni.h"

static struct penni penni;

int c_open(uint64_t dma, uint64_t core, uint64_t patience)
{
    penni.dma = (uintptr_t)dma;
    penni.core = (uintptr_t)core;
    penni.patience = patience;
    return penni_open(&penni);
}

int c_run(const uint8_t *pixels, int32_t *results, uint32_t images) { return penni_run(&penni, pixels, results, images); }

const char *c_text(int status) { return penni_text((enum penni_status)status); }

uint64_t c_images_out(void) { return penni_counters(&penni).images_out; }
