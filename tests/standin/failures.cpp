/* Calls that fail on demand, so that tests see what the backend makes of it; and their counts. */
#include "standin.h"

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

namespace standin
{
/* One item of MG_STANDIN_FAIL. */
struct Failure {
    std::string call;     /* of the calls of this function or kernel, or of all if it is empty, */
    unsigned long number; /* the one with this number, or each if it is 0, */
    bool onwards;         /* and all after it */
    int status;           /* 0: the usual one */
    unsigned long seen;   /* calls so far */

    bool strikes(const char *name, bool can_fail)
    {
        if (call.empty() ? !can_fail : call != name) return false;
        seen++;
        return number == 0 || seen == number || (onwards && seen > number);
    }
};

/* NUMBER[+], or CALL[@NUMBER[+]]; then [:STATUS]. */
static Failure read_failure(const std::string &item)
{
    Failure f = {};
    const size_t colon = item.find(':');
    std::string place = item.substr(0, colon);
    if (colon != std::string::npos) f.status = std::atoi(item.c_str() + colon + 1);
    if (!std::isdigit((unsigned char)place[0])) {
        f.call = place.substr(0, place.find('@'));
        place.erase(0, f.call.size() + 1);
    }
    f.number = std::strtoul(place.c_str(), nullptr, 10);
    f.onwards = !place.empty() && place.back() == '+';
    return f;
}

static std::vector<Failure> read_failures()
{
    std::vector<Failure> out;
    const char *text = std::getenv("MG_STANDIN_FAIL");
    std::string rest = text ? text : "";
    while (!rest.empty()) {
        const std::string item = rest.substr(0, rest.find(','));
        rest.erase(0, item.size() + 1);
        out.push_back(read_failure(item));
    }
    return out;
}

/* How often each call was made, written to the file MG_STANDIN_COUNT at the end. */
struct Counts {
    std::map<std::string, unsigned long> of;
    const char *file = std::getenv("MG_STANDIN_COUNT");
    ~Counts()
    {
        std::ofstream out(file ? file : "");
        for (const auto &[call, count] : of) out << call << " " << count << "\n";
    }
};

int planned_failure(int usual, const char *call)
{
    static std::vector<Failure> failures = read_failures();
    static unsigned long calls = 0;
    static Counts counts;
    if (counts.file) counts.of[call]++;
    const Failure *struck = nullptr;
    if (failures.empty()) return 0;
    if (usual) calls++;         /* else it cannot fail, but answer with what it was given */
    for (Failure &f : failures) /* all of them count */
        if (f.strikes(call, usual != 0) && !struck) struck = &f;
    if (!struck) return 0;
    const int status = struck->status ? struck->status : usual;
    complain("call %lu, %s, fails with %d", calls, call, status);
    return status;
}
} // namespace standin
