//! Log files after a rotation: opened anew, and given to whoever writes them.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use ipc::notify::ToNotify;
use ipc::proxy::ToProxy;
use settings::LogTarget;

use super::Supervisor;
use crate::child::{LogReopened, Tell};
use crate::children::Loads;

impl Supervisor {
    pub(super) fn reopen_logs(&mut self) {
        if self.reload.is_some() {
            // It has opened files already, which would take the place of those opened now.
            self.reopen_due = true;
            return;
        }
        if let Err(report) = self.holdings.reopen_logs(&self.settings, self.identity) {
            return tracing::error!("the log files cannot be opened again:\n{report}");
        }
        if let Err(error) = self.hand_out_logs() {
            return tracing::error!("the log files cannot be handed out: {error}");
        }
        tracing::info!("log files opened again");
    }

    fn hand_out_logs(&self) -> std::io::Result<()> {
        let Some(children) = &self.children else {
            return Ok(());
        };
        // A process that is started later gets the new files as well.
        let loads = Loads::make(
            &self.holdings,
            &self.settings,
            self.generation,
            self.slots,
            None,
        )?;
        children.renew(&loads);
        let files = self.holdings.notify_files()?;
        children.tell_notify(Tell {
            message: ToNotify::LogsReopened,
            descriptors: files,
        });
        for slot in 0..children.proxy_count() {
            let descriptors = self.holdings.access_logs()?;
            children.tell_proxy(
                slot,
                Tell {
                    message: ToProxy::LogsReopened,
                    descriptors,
                },
            );
        }
        if let LogTarget::File(path) = &self.settings.global.log.target {
            let log: OwnedFd = platform::daemon::open_log(path.value(), self.identity)?;
            platform::process::replace_stderr(&log)?;
            children.log_reopened(&LogReopened(Arc::new(log)));
        }
        Ok(())
    }
}
