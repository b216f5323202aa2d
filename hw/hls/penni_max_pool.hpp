// SPDX-License-Identifier: Apache-2.0
/// max_pool: the maximum of each KH x KW window; what lies outside the map counts as the smallest value.
#ifndef PENNI_MAX_POOL_HPP
#define PENNI_MAX_POOL_HPP

#include "penni_window_pool.hpp"

namespace penni {

template <typename C>
struct window_max {
    static const int RW = C::XW, YW = C::XW;
    static const int OUTSIDE = C::X_SIGNED ? -(1 << (C::XW - 1)) : 0;

    template <typename T>
    static T join(const T& a, const T& b) {
        PENNI_INLINE
        return b > a ? b : a;
    }
};

template <typename C>
void max_pool(hls::stream<word<C::XW> >& in, hls::stream<word<C::XW> >& out) {
    window_pool<C, window_max<C> >(in, out);
}

}  // namespace penni

#endif
