// SPDX-License-Identifier: Apache-2.0
/// An AXI4-Stream beat for C simulation with g++: the part of hls::axis used here, without user, id and destination.
#ifndef PENNI_CSIM_AP_AXI_SDATA_H
#define PENNI_CSIM_AP_AXI_SDATA_H

#include <ap_int.h>

namespace hls {

template <int W>
struct axis {
    ap_int<W> data;
    ap_uint<(W + 7) / 8> keep;
    ap_uint<(W + 7) / 8> strb;
    ap_uint<1> last;
};

}  // namespace hls

template <int W, int USER, int ID, int DEST>
struct ap_axis : hls::axis<W> {
    static_assert(USER == 0 && ID == 0 && DEST == 0, "only data, keep, strb and last");
};

#endif
