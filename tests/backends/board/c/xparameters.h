/* Stands in for the vendor's header. */
#define XPAR_PENNI_BASEADDR 0x40000000u
#define XPAR_DMA_BASEADDR 0x40400000u
