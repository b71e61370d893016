// Preloaded by bootstrap.mjs into the process it starts: ends that process, as SIGTERM would, once the bootstrap is gone
// without having been able to pass a signal on (kill -9).
const parent = Number(process.env.RINGSIDE_BOOTSTRAP_PID);
delete process.env.RINGSIDE_BOOTSTRAP_PID;
// A preload is inherited by some child processes (execArgv); those have parents of their own.
if (parent > 0) {
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}
