/* The accelerator from C, without an operating system or with one: its registers and AMD's AXI DMA in simple mode (PG021).
 *
 *     struct penni penni = {.dma = DMA_BASE, .core = PENNI_BASE};
 *     if (penni_open(&penni) == PENNI_OK)
 *         status = penni_run(&penni, pixels, results, images);
 *
 * One send and one receive for all images of a call. Every wait ends: after `patience` clock cycles of the accelerator, or
 * after PENNI_POLLS looks where its clock stands still. After an error DMA engine and accelerator have been reset, and the
 * next call works. Pixels and results must be contiguous and aligned to a cache line.
 *
 * Define PENNI_READ32(address), PENNI_WRITE32(address, value), PENNI_FLUSH(address, bytes) and PENNI_INVALIDATE(address,
 * bytes) before this file is included where the default does not suit: registers at their physical addresses, and memory
 * that the DMA engine sees as the processor does. */
#ifndef PENNI_H
#define PENNI_H

#include <stddef.h>
#include <stdint.h>

#include "penni_model.h"
#include "penni_registers.h"

#ifndef PENNI_READ32
#define PENNI_READ32(address) (*(volatile uint32_t *)(address))
#endif
#ifndef PENNI_WRITE32
#define PENNI_WRITE32(address, value) (*(volatile uint32_t *)(address) = (value))
#endif
#ifndef PENNI_FLUSH
#define PENNI_FLUSH(address, bytes) ((void)(address), (void)(bytes))
#endif
#ifndef PENNI_INVALIDATE
#define PENNI_INVALIDATE(address, bytes) ((void)(address), (void)(bytes))
#endif
#ifndef PENNI_POLLS
#define PENNI_POLLS 1000000u
#endif

#define PENNI_MOST_BYTES ((1u << 26) - 1u) /* of one transfer: the block design's length register has 26 bits */

/* Of the DMA engine: two channels, and the registers within each. */
#define PENNI_DMA_SEND 0x00u
#define PENNI_DMA_RECEIVE 0x30u
#define PENNI_DMA_CONTROL 0x00u
#define PENNI_DMA_STATUS 0x04u
#define PENNI_DMA_ADDRESS 0x18u
#define PENNI_DMA_ADDRESS_HIGH 0x1Cu
#define PENNI_DMA_LENGTH 0x28u
#define PENNI_DMA_RUN 0x1u
#define PENNI_DMA_RESET 0x4u
#define PENNI_DMA_HALTED 0x1u
#define PENNI_DMA_ERRORS 0x70u
#define PENNI_DMA_DONE 0x1000u

enum penni_status {
    PENNI_OK = 0,
    PENNI_NO_ACCELERATOR, /* nothing of penni-hls answers at the address */
    PENNI_WRONG_DESIGN,   /* another network, or another version of the registers */
    PENNI_WRONG_SIZE,     /* no image, or more than one transfer carries */
    PENNI_TIMEOUT,
    PENNI_DMA_ERROR,      /* the DMA engine could not reach memory */
    PENNI_SHORT_RESULT,   /* the accelerator gave fewer results than images */
    PENNI_DMA_STUCK       /* the DMA engine does not come out of its reset: load the bitstream again */
};

/* dma, core: base addresses of the two blocks of registers. patience: clock cycles until a call is given up; 0: a tenth of
 * a second's at 100 MHz and ten times what is predicted. */
struct penni {
    uintptr_t dma;
    uintptr_t core;
    uint64_t patience;
};

/* What the accelerator has counted since the bitstream was loaded; they wrap after 2^48. */
struct penni_counters {
    uint64_t cycles, busy, starved, blocked, images_in, images_out;
};

static inline const char *penni_text(enum penni_status status)
{
    switch (status) {
    case PENNI_OK: return "done";
    case PENNI_NO_ACCELERATOR: return "no accelerator of penni-hls answers; look at bitstream and address";
    case PENNI_WRONG_DESIGN: return "the bitstream holds another network than penni_model.h";
    case PENNI_WRONG_SIZE: return "no image, or more than one DMA transfer carries";
    case PENNI_TIMEOUT: return "time-out; penni_counters tells who waits";
    case PENNI_DMA_ERROR: return "the DMA engine could not reach memory; look at the buffers' addresses";
    case PENNI_SHORT_RESULT: return "fewer results than images; make the bitstream anew";
    case PENNI_DMA_STUCK: return "the DMA engine does not come out of its reset; load the bitstream again";
    }
    return "unknown";
}

static inline uint32_t penni_read(const struct penni *penni, uint32_t offset)
{
    return PENNI_READ32(penni->core + offset);
}

/* Reading the lower word of a counter keeps its upper one. */
static inline uint64_t penni_read_counter(const struct penni *penni, uint32_t offset)
{
    uint64_t low = penni_read(penni, offset);
    return (uint64_t)penni_read(penni, offset + 4u) << 32 | low;
}

static inline struct penni_counters penni_counters(const struct penni *penni)
{
    struct penni_counters counters;
    counters.cycles = penni_read_counter(penni, PENNI_CYCLES);
    counters.busy = penni_read_counter(penni, PENNI_BUSY_CYCLES);
    counters.starved = penni_read_counter(penni, PENNI_STARVED_CYCLES);
    counters.blocked = penni_read_counter(penni, PENNI_BLOCKED_CYCLES);
    counters.images_in = penni_read_counter(penni, PENNI_IMAGES_IN);
    counters.images_out = penni_read_counter(penni, PENNI_IMAGES_OUT);
    return counters;
}

static inline uint32_t penni_dma_read(const struct penni *penni, uint32_t channel, uint32_t offset)
{
    return PENNI_READ32(penni->dma + channel + offset);
}

static inline void penni_dma_write(const struct penni *penni, uint32_t channel, uint32_t offset, uint32_t value)
{
    PENNI_WRITE32(penni->dma + channel + offset, value);
}

/* 1 where the bits of `mask` in a register of the DMA engine become 0 in time. */
static inline int penni_dma_clears(const struct penni *penni, uint32_t channel, uint32_t offset, uint32_t mask)
{
    uint32_t poll;
    for (poll = 0; poll < PENNI_POLLS; poll++)
        if (!(penni_dma_read(penni, channel, offset) & mask))
            return 1;
    return 0;
}

/* Stop the DMA engine and empty the accelerator, whatever they are doing. */
static inline enum penni_status penni_reset(const struct penni *penni)
{
    PENNI_WRITE32(penni->core + PENNI_CONTROL, PENNI_CONTROL_RESET);
    penni_dma_write(penni, PENNI_DMA_SEND, PENNI_DMA_CONTROL, PENNI_DMA_RESET); /* resets both channels */
    if (!penni_dma_clears(penni, PENNI_DMA_SEND, PENNI_DMA_CONTROL, PENNI_DMA_RESET))
        return PENNI_DMA_STUCK;
    PENNI_WRITE32(penni->core + PENNI_CONTROL, 0u);
    penni_dma_write(penni, PENNI_DMA_SEND, PENNI_DMA_CONTROL, PENNI_DMA_RUN);
    penni_dma_write(penni, PENNI_DMA_RECEIVE, PENNI_DMA_CONTROL, PENNI_DMA_RUN);
    if (!penni_dma_clears(penni, PENNI_DMA_SEND, PENNI_DMA_STATUS, PENNI_DMA_HALTED)
        || !penni_dma_clears(penni, PENNI_DMA_RECEIVE, PENNI_DMA_STATUS, PENNI_DMA_HALTED))
        return PENNI_DMA_STUCK;
    return PENNI_OK;
}

/* Check that the bitstream holds the network of penni_model.h, and make it ready. */
static inline enum penni_status penni_open(const struct penni *penni)
{
    uint32_t word;
    if (penni_read(penni, PENNI_MAGIC) != PENNI_MAGIC_VALUE)
        return PENNI_NO_ACCELERATOR;
    if (penni_read(penni, PENNI_VERSION) >> 16 != PENNI_MAP_MAJOR)
        return PENNI_WRONG_DESIGN;
    for (word = 0; word < 4; word++)
        if (penni_read(penni, PENNI_DIGEST + 4u * word) != penni_digest[word])
            return PENNI_WRONG_DESIGN;
    return penni_reset(penni);
}

static inline void penni_start(const struct penni *penni, uint32_t channel, const void *buffer, uint32_t bytes)
{
    uint64_t address = (uintptr_t)buffer;
    penni_dma_write(penni, channel, PENNI_DMA_STATUS, PENNI_DMA_DONE); /* clears it */
    penni_dma_write(penni, channel, PENNI_DMA_ADDRESS, (uint32_t)address);
    penni_dma_write(penni, channel, PENNI_DMA_ADDRESS_HIGH, (uint32_t)(address >> 32));
    penni_dma_write(penni, channel, PENNI_DMA_LENGTH, bytes); /* starts it */
}

/* Until both channels have ended their transfers. */
static inline enum penni_status penni_wait(const struct penni *penni, uint64_t patience)
{
    uint64_t begun = penni_read_counter(penni, PENNI_CYCLES), now, before = begun;
    uint32_t still = 0, send, receive;
    for (;;) {
        send = penni_dma_read(penni, PENNI_DMA_SEND, PENNI_DMA_STATUS);
        receive = penni_dma_read(penni, PENNI_DMA_RECEIVE, PENNI_DMA_STATUS);
        if ((send | receive) & PENNI_DMA_ERRORS)
            return PENNI_DMA_ERROR;
        if (send & receive & PENNI_DMA_DONE)
            return PENNI_OK;
        now = penni_read_counter(penni, PENNI_CYCLES);
        still = now == before ? still + 1u : 0u;
        before = now;
        if (((now - begun) & 0xFFFFFFFFFFFFu) > patience || still > PENNI_POLLS)
            return PENNI_TIMEOUT;
    }
}

/* images * PENNI_MODEL_IMAGE_BYTES pixels -> images * PENNI_MODEL_RESULT_WORDS results, images in order. */
static inline enum penni_status penni_run(
    const struct penni *penni, const uint8_t *pixels, int32_t *results, uint32_t images)
{
    uint64_t pixel_bytes = (uint64_t)images * PENNI_MODEL_IMAGE_BYTES;
    uint64_t result_bytes = (uint64_t)images * PENNI_MODEL_RESULT_WORDS * 4u;
    uint64_t predicted = (uint64_t)PENNI_MODEL_CYCLES_PER_IMAGE * (images + 1u);
    uint64_t patience = penni->patience ? penni->patience : 10000000u + 10u * predicted;
    enum penni_status status;
    if (images == 0 || pixel_bytes > PENNI_MOST_BYTES || result_bytes > PENNI_MOST_BYTES)
        return PENNI_WRONG_SIZE;
    PENNI_FLUSH((uintptr_t)pixels, (size_t)pixel_bytes);
    PENNI_FLUSH((uintptr_t)results, (size_t)result_bytes); /* no dirty line comes over what the engine writes */
    penni_start(penni, PENNI_DMA_RECEIVE, results, (uint32_t)result_bytes);
    penni_start(penni, PENNI_DMA_SEND, pixels, (uint32_t)pixel_bytes);
    status = penni_wait(penni, patience);
    if (status == PENNI_OK && penni_dma_read(penni, PENNI_DMA_RECEIVE, PENNI_DMA_LENGTH) != (uint32_t)result_bytes)
        status = PENNI_SHORT_RESULT;
    if (status != PENNI_OK) {
        if (penni_reset(penni) == PENNI_DMA_STUCK)
            status = PENNI_DMA_STUCK;
        return status;
    }
    PENNI_INVALIDATE((uintptr_t)results, (size_t)result_bytes);
    return PENNI_OK;
}

#endif
