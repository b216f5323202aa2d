// SPDX-License-Identifier: Apache-2.0
/// Stands in for bambu's ap_int.h, where ap_int and ap_uint are other names of ac_int: the part of its documented interface
/// that needs no more than declarations, with what does not get through bambu left away:
///   - x-- and --x do not compile there (of narrow unsigned numbers);
///   - a part-select of more than 64 bits at a place that is no constant is a shift for which it has no unit.
#pragma once

constexpr int larger(int a, int b) { return a > b ? a : b; }

template <int W, bool S>
class ac_int;

/// Up to 64 bits convert to a machine integer by themselves.
template <int W, bool S, bool NARROW = (W <= 64)>
class ac_conversion {};
template <int W>
class ac_conversion<W, true, true> {
public:
    operator long long() const;
};
template <int W>
class ac_conversion<W, false, true> {
public:
    operator unsigned long long() const;
};

template <int W, bool S>
class ac_int : public ac_conversion<W, S> {
public:
    static const int width = W;
    static const bool sign = S;

    ac_int();
    ac_int(const ac_int&);
    ac_int& operator=(const ac_int&);
    template <int W2, bool S2>
    ac_int(const ac_int<W2, S2>&);
    ac_int(bool);
    ac_int(char);
    ac_int(signed char);
    ac_int(unsigned char);
    ac_int(short);
    ac_int(unsigned short);
    ac_int(int);
    ac_int(unsigned);
    ac_int(long);
    ac_int(unsigned long);
    ac_int(long long);
    ac_int(unsigned long long);

    int to_int() const;
    unsigned to_uint() const;

    template <int N>
    ac_int<N, S> slc(int low) const __attribute__((enable_if(low >= 0 && low + N <= W, "a constant place, within the word")));
    template <int N, bool S2>
    ac_int& set_slc(int low, const ac_int<N, S2>& bits)
        __attribute__((enable_if(low >= 0 && low + N <= W, "a constant place, within the word")));

    ac_int& operator++();
    ac_int operator++(int);
    bool operator!() const;
    ac_int<W + 1, true> operator-() const;
    ac_int<W + !S, true> operator~() const;
    template <typename T>
    ac_int& operator+=(const T&);
    template <typename T>
    ac_int& operator-=(const T&);
    ac_int operator<<(int) const;
    ac_int operator>>(int) const;
};

/// Bits that hold both numbers, in one type.
constexpr int both(int w1, bool s1, int w2, bool s2) { return larger(w1 + (s2 && !s1), w2 + (s1 && !s2)); }

template <int W1, bool S1, int W2, bool S2>
ac_int<both(W1, S1, W2, S2) + 1, S1 || S2> operator+(const ac_int<W1, S1>&, const ac_int<W2, S2>&);
template <int W1, bool S1, int W2, bool S2>
ac_int<both(W1, S1, W2, S2) + 1, true> operator-(const ac_int<W1, S1>&, const ac_int<W2, S2>&);
template <int W1, bool S1, int W2, bool S2>
ac_int<W1 + W2, S1 || S2> operator*(const ac_int<W1, S1>&, const ac_int<W2, S2>&);
template <int W1, bool S1, int W2, bool S2>
ac_int<both(W1, S1, W2, S2), S1 || S2> operator&(const ac_int<W1, S1>&, const ac_int<W2, S2>&);

#define AC_COMPARE(operator_)                                                    \
    template <int W1, bool S1, int W2, bool S2>                                  \
    bool operator operator_(const ac_int<W1, S1>&, const ac_int<W2, S2>&);
AC_COMPARE(==)
AC_COMPARE(!=)
AC_COMPARE(<)
AC_COMPARE(>)
AC_COMPARE(<=)
AC_COMPARE(>=)
#undef AC_COMPARE

/// With a machine integer, which is a number of its width.
#define AC_MIXED(type_, width_, sign_)                                                         \
    template <int W, bool S>                                                                   \
    ac_int<both(W, S, width_, sign_) + 1, S || sign_> operator+(const ac_int<W, S>&, type_);   \
    template <int W, bool S>                                                                   \
    ac_int<both(W, S, width_, sign_) + 1, S || sign_> operator+(type_, const ac_int<W, S>&);   \
    template <int W, bool S>                                                                   \
    ac_int<both(W, S, width_, sign_) + 1, true> operator-(const ac_int<W, S>&, type_);         \
    template <int W, bool S>                                                                   \
    ac_int<W + width_, S || sign_> operator*(const ac_int<W, S>&, type_);                      \
    template <int W, bool S>                                                                   \
    bool operator==(const ac_int<W, S>&, type_);                                               \
    template <int W, bool S>                                                                   \
    bool operator!=(const ac_int<W, S>&, type_);                                               \
    template <int W, bool S>                                                                   \
    bool operator<(const ac_int<W, S>&, type_);                                                \
    template <int W, bool S>                                                                   \
    bool operator>(const ac_int<W, S>&, type_);                                                \
    template <int W, bool S>                                                                   \
    bool operator<=(const ac_int<W, S>&, type_);                                               \
    template <int W, bool S>                                                                   \
    bool operator>=(const ac_int<W, S>&, type_);
AC_MIXED(int, 32, true)
AC_MIXED(unsigned, 32, false)
AC_MIXED(long, 64, true)
AC_MIXED(unsigned long, 64, false)
AC_MIXED(long long, 64, true)
AC_MIXED(unsigned long long, 64, false)
#undef AC_MIXED

template <int W>
using ap_uint = ac_int<W, false>;
template <int W>
using ap_int = ac_int<W, true>;
