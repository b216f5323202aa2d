/* Stands in for the vendor's header. */
#ifndef XIL_CACHE_H
#define XIL_CACHE_H
#include "hooks.h"
typedef intptr_t INTPTR;
#define Xil_DCacheFlushRange(address, bytes) flush_hook((uint64_t)(address), (bytes))
#define Xil_DCacheInvalidateRange(address, bytes) invalidate_hook((uint64_t)(address), (bytes))
#endif
