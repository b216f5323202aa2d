#include "hooks.h"

uint32_t (*read_hook)(uint64_t address);
void (*write_hook)(uint64_t address, uint32_t value);
void (*flush_hook)(uint64_t address, uint64_t bytes);
void (*invalidate_hook)(uint64_t address, uint64_t bytes);

void set_hooks(uint32_t (*read)(uint64_t), void (*write)(uint64_t, uint32_t), void (*flush)(uint64_t, uint64_t),
               void (*invalidate)(uint64_t, uint64_t))
{
    read_hook = read;
    write_hook = write;
    flush_hook = flush;
    invalidate_hook = invalidate;
}
