#include "engine/core/failure.h"

#include <new>

namespace cuescope {

std::string Failure::text() const {
  std::string out = what;
  if (!where.empty()) out += " [" + where + "]";
  if (!why.empty()) out += ": " + why;
  if (!out.empty() && out.back() != '.' && out.back() != '?') out += '.';
  if (!nextStep.empty()) out += " Next: " + nextStep;
  return out;
}

Error::Error(Failure failure) : std::runtime_error(failure.text()), m_failure(std::move(failure)) {}

Error::Error(std::string what, std::string where, std::string why, std::string nextStep)
    : Error(Failure{std::move(what), std::move(where), std::move(why), std::move(nextStep)}) {}

Failure currentFailure(const std::string& where) {
  try {
    throw;
  } catch (const Error& error) {
    Failure failure = error.failure();
    if (failure.where.empty()) failure.where = where;
    return failure;
  } catch (const std::bad_alloc&) {
    return {"There is not enough memory", where, "an allocation was refused", "Close other models, or use a smaller image, batch or model."};
  } catch (const std::exception& error) {
    std::string why = error.what();  // LibTorch appends its call stack after the first blank part; keep the sentence
    if (auto cut = why.find("\nException raised from"); cut != std::string::npos) why.resize(cut);
    return {"Something unexpected went wrong", where, why, "Please report this with the details."};
  } catch (...) {
    return {"Something unexpected went wrong", where, "unknown exception", "Please report this with the details."};
  }
}

}  // namespace cuescope
