/* penni.h with registers and caches behind functions that the test gives. */
#include <stddef.h>
#include <stdint.h>

extern uint32_t (*read_hook)(uint64_t address);
extern void (*write_hook)(uint64_t address, uint32_t value);
extern void (*flush_hook)(uint64_t address, uint64_t bytes);
extern void (*invalidate_hook)(uint64_t address, uint64_t bytes);

#define PENNI_READ32(address) read_hook((uint64_t)(address))
#define PENNI_WRITE32(address, value) write_hook((uint64_t)(address), (value))
#define PENNI_POLLS 1000u
