// SPDX-License-Identifier: Apache-2.0
/// avg_pool: the sum of each KH x KW window, exact; what lies outside the map counts as 0.
#ifndef PENNI_AVG_POOL_HPP
#define PENNI_AVG_POOL_HPP

#include "penni_window_pool.hpp"

namespace penni {

template <typename C>
struct window_sum {
    static const int RW = C::RW, YW = C::YW;
    static const int OUTSIDE = 0;

    template <typename T>
    static T join(const T& a, const T& b) {
        PENNI_INLINE
        return T(a + b);
    }
};

template <typename C>
void avg_pool(hls::stream<word<C::XW> >& in, hls::stream<word<C::YW> >& out) {
    window_pool<C, window_sum<C> >(in, out);
}

}  // namespace penni

#endif
