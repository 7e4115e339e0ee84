// Result<T, E>: a value or an error, for host-side problems (files, configuration, memory).
// Guest faults do not use this type: see cpu/state/exceptions.h.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace reprise {

/// Whose fault: of a file, memory or device of the host, or of the command that asked for what cannot be.
enum class ErrorKind : unsigned char { Host, Usage };

/// One clear sentence for the user, naming the file or value at fault and what to do.
struct Error {
  std::string message;
  ErrorKind kind = ErrorKind::Host;
};

inline Error wrong_usage(std::string message) { return {std::move(message), ErrorKind::Usage}; }

template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : storage_(std::in_place_index<0>, std::move(value)) {}
  Result(E error) : storage_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return storage_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() { return std::get<0>(storage_); }
  const T& value() const { return std::get<0>(storage_); }
  T take() { return std::move(std::get<0>(storage_)); }
  const E& error() const { return std::get<1>(storage_); }

 private:
  std::variant<T, E> storage_;
};

/// For functions with nothing to return.
using Done = std::monostate;

}  // namespace reprise

/// Evaluates a Result expression; returns its error from the enclosing function, or yields the value.
#define TRY(expression)                                \
  __extension__({                                      \
    auto try_result_ = (expression);                   \
    if (!try_result_.ok()) return try_result_.error(); \
    try_result_.take();                                \
  })
