// SPDX-License-Identifier: Apache-2.0
/// The multiply-accumulators of sparse_mac, and how the sums of rows come out of their running sums.
///
/// A unit serves one pixel, or two (PAIR_SHIFT > 0): it multiplies z1 * 2^PAIR_SHIFT + z0, so that one DSP makes two
/// products. Its running sum is kept as UNITW bits: PAIR_EXTRA bits of the sum of z1, above the sum of both modulo
/// 2^(PAIR_SHIFT + ACCW). The difference of two running sums is high * 2^PAIR_SHIFT + low; where low needs more than
/// PAIR_SHIFT bits, the extra bits give the rest.
#ifndef PENNI_MAC_HPP
#define PENNI_MAC_HPP

#include "penni_pragmas.hpp"
#include "penni_types.hpp"

namespace penni {

template <typename C>
struct mac_types {
    typedef integer<C::ZW, C::Z_SIGNED> z_t;
    typedef integer<C::CW, true> coef_t;
    typedef integer<C::ACCW, true> acc_t;
    static const int PIXELS = C::PAIR_SHIFT > 0 ? 2 : 1;      ///< of a unit
    static const int UNITS = C::Q / PIXELS;                   ///< of a lane
    static const int SUMW = C::PAIR_SHIFT + C::ACCW;          ///< width of an accumulator
    static const int EXTRAW = C::PAIR_EXTRA > 0 ? C::PAIR_EXTRA : 1;
    static const int UNITW = SUMW + C::PAIR_EXTRA;
    typedef modular<SUMW> sum_t;
    typedef modular<EXTRAW> extra_t;
};

/// One pixel: sum += coefficient * z.
template <typename C, bool PAIR = (C::PAIR_SHIFT > 0)>
struct mac_unit {
    typedef mac_types<C> types;
    static void add(typename types::sum_t& sum, typename types::extra_t&, const typename types::coef_t& coefficient,
                    const typename types::z_t (&z)[C::Q], int unit) {
        PENNI_INLINE
        sum += product<typename types::sum_t, C::LUT_MULTIPLY>::of(coefficient, z[unit]);
    }
};

/// Two pixels.
template <typename C>
struct mac_unit<C, true> {
    typedef mac_types<C> types;
    static const int ADDW = C::PREADDER;  ///< of a DSP: 25 bits of a DSP48E1, 27 of a DSP48E2
    static void add(typename types::sum_t& sum, typename types::extra_t& extra, const typename types::coef_t& coefficient,
                    const typename types::z_t (&z)[C::Q], int unit) {
        PENNI_INLINE
        const integer<ADDW, true> low = z[2 * unit], high = z[2 * unit + 1];
        const integer<ADDW, true> both = high * (1 << C::PAIR_SHIFT) + low;
        sum += product<typename types::sum_t, false>::of(coefficient, both);
        if (C::PAIR_EXTRA > 0) extra += product<typename types::extra_t, true>::of(coefficient, high);
    }
};

/// The running sum of a unit, as it is kept.
template <typename C, bool WIDE = (C::PAIR_EXTRA > 0)>
struct mac_word {
    typedef mac_types<C> types;
    static word<types::UNITW> of(const typename types::sum_t& sum, const typename types::extra_t&) {
        PENNI_INLINE
        return to_bits<types::SUMW>(sum);
    }
};

template <typename C>
struct mac_word<C, true> {
    typedef mac_types<C> types;
    static word<types::UNITW> of(const typename types::sum_t& sum, const typename types::extra_t& extra) {
        PENNI_INLINE
        word<types::UNITW> all = word<types::UNITW>(to_bits<types::SUMW>(sum));
        put_bits<C::PAIR_EXTRA, types::SUMW, types::UNITW>(all, to_bits<C::PAIR_EXTRA>(extra));
        return all;
    }
};

/// Keep the running sums of a lane's units as one word.
template <typename C>
void mac_keep(const typename mac_types<C>::sum_t (&sums)[mac_types<C>::UNITS],
              const typename mac_types<C>::extra_t (&extras)[mac_types<C>::UNITS],
              numbers<mac_types<C>::UNITW, false, mac_types<C>::UNITS>& into) {
    PENNI_INLINE
    typedef mac_types<C> types;
    word<types::UNITW> units[types::UNITS];
    PENNI_PARTITION(units, 0)
Units:
    for (int unit = 0; unit < types::UNITS; ++unit) {
        PENNI_UNROLL
        units[unit] = mac_word<C>::of(sums[unit], extras[unit]);
    }
    into = together<types::UNITW, false, types::UNITS>(units);
}

/// now - before, of the running sums of a unit: modulo 2^SUMW.
template <typename C>
word<mac_types<C>::SUMW> mac_difference(const word<mac_types<C>::UNITW>& now, const word<mac_types<C>::UNITW>& before) {
    PENNI_INLINE
    typedef mac_types<C> types;
    const word<types::SUMW> now_bits = bits_at<types::SUMW, 0, types::UNITW>(now);
    const word<types::SUMW> before_bits = bits_at<types::SUMW, 0, types::UNITW>(before);
    const typename types::sum_t sum = typename types::sum_t(from_bits<types::SUMW, true>(now_bits)) -
                                      typename types::sum_t(from_bits<types::SUMW, true>(before_bits));
    return to_bits<types::SUMW>(sum);
}

/// The row sum of one pixel. KIND 0: one pixel in a unit; 1: two, of which the low sum fits PAIR_SHIFT bits; 2: two, and
/// extra bits.
template <typename C, int KIND = (C::PAIR_SHIFT == 0 ? 0 : C::PAIR_EXTRA == 0 ? 1 : 2)>
struct mac_row_sum {
    static typename mac_types<C>::acc_t of(const word<mac_types<C>::UNITW>& now, const word<mac_types<C>::UNITW>& before,
                                           int) {
        PENNI_INLINE
        return from_bits<C::ACCW, true>(mac_difference<C>(now, before));
    }
};

template <typename C>
struct mac_row_sum<C, 1> {
    typedef mac_types<C> types;
    typedef typename types::acc_t acc_t;
    static acc_t of(const word<types::UNITW>& now, const word<types::UNITW>& before, int pixel) {
        PENNI_INLINE
        const word<types::SUMW> both = mac_difference<C>(now, before);
        const word<C::ACCW> upper = bits_at<C::ACCW, C::PAIR_SHIFT, types::SUMW>(both);
        const word<C::PAIR_SHIFT> lower = bits_at<C::PAIR_SHIFT, 0, types::SUMW>(both);
        const acc_t low = acc_t(from_bits<C::PAIR_SHIFT, true>(lower));
        if (pixel == 0) return low;
        return acc_t(from_bits<C::ACCW, true>(upper) + (low < 0 ? 1 : 0));
    }
};

template <typename C>
struct mac_row_sum<C, 2> {
    typedef mac_types<C> types;
    typedef typename types::acc_t acc_t;
    static acc_t of(const word<types::UNITW>& now, const word<types::UNITW>& before, int pixel) {
        PENNI_INLINE
        static_assert(C::ACCW == C::PAIR_SHIFT + C::PAIR_EXTRA, "extra bits complete the low sum");
        const word<types::SUMW> both = mac_difference<C>(now, before);
        const word<C::ACCW> upper = bits_at<C::ACCW, C::PAIR_SHIFT, types::SUMW>(both);
        const word<C::PAIR_SHIFT> lower = bits_at<C::PAIR_SHIFT, 0, types::SUMW>(both);
        const word<C::PAIR_EXTRA> extra_now = bits_at<C::PAIR_EXTRA, types::SUMW, types::UNITW>(now);
        const word<C::PAIR_EXTRA> extra_before = bits_at<C::PAIR_EXTRA, types::SUMW, types::UNITW>(before);
        typedef modular<C::PAIR_EXTRA> extra_t;
        const extra_t rest = extra_t(extra_t(upper) - extra_t(extra_t(extra_now) - extra_t(extra_before)));
        const word<C::PAIR_EXTRA> rest_bits = to_bits<C::PAIR_EXTRA>(rest);
        const acc_t above = acc_t(from_bits<C::PAIR_EXTRA, true>(rest_bits));
        if (pixel == 0) {
            word<C::ACCW> low = word<C::ACCW>(lower);
            put_bits<C::PAIR_EXTRA, C::PAIR_SHIFT, C::ACCW>(low, rest_bits);
            return from_bits<C::ACCW, true>(low);
        }
        return acc_t(from_bits<C::ACCW, true>(upper) - above);
    }
};

}  // namespace penni

#endif
