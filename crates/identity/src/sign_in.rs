//! Coming in: the first owner's setup, sign-in, joining by invitation, a new password by a reset link. Each ends in an open session, except the reset: who holds only a link signs in with what they
//! just chose.

use domain::{Caller, PersonId, Role, SessionId, TenantId, Timestamp, Via};
use serde_json::json;
use store::{Link, LinkKind, NewPerson, NewSession, Person};

use crate::name::{display_name, name_taken};
use crate::people::may_touch;
use crate::secret::{Digest, Token};
use crate::sessions::{LONGEST, own_session};
use crate::{Error, Identity, LoginName, Visitor, password};

/// What somebody who gets an account says about themselves.
#[derive(Clone)]
pub struct Account {
    /// The login name as typed.
    pub name: String,
    /// The password as typed.
    pub password: String,
    /// What others read; the login name when empty.
    pub display_name: String,
    /// `zh-CN` or `en`, when chosen.
    pub language: Option<String>,
}

/// Somebody who came in.
pub struct SignedIn {
    /// For the cookie; shown to nobody else.
    pub token: Token,
    /// The session it opens.
    pub session: SessionId,
    /// The cookie need not outlive this.
    pub expires_at: Timestamp,
    /// Who came in.
    pub person: Person,
}

impl Identity {
    /// Makes the first owner. The link is printed where the portal was started.
    pub async fn setup(&self, token: &str, account: Account, visitor: &Visitor) -> Result<SignedIn, Error> {
        self.usable(LinkKind::Setup, token).await?;
        let new = self.account(account, Role::Owner).await?;
        let person = self.take(LinkKind::Setup, token, new).await?;
        self.audit(Some(&as_caller(&person)), "house.set_up", person.id, json!({ "name": person.name })).await;
        self.open_session(person, visitor).await
    }

    /// Makes an account with the role of the invitation.
    pub async fn join(&self, token: &str, account: Account, visitor: &Visitor) -> Result<SignedIn, Error> {
        let invited = self.invited(token).await?;
        let new = self.account(account, invited.role).await?;
        let person = self.take(LinkKind::Invitation, token, new).await?;
        let detail = json!({ "name": person.name, "role": person.role });
        self.audit(Some(&as_caller(&person)), "person.joined", person.id, detail).await;
        self.open_session(person, visitor).await
    }

    /// Opens a session for who knows the password. An unknown name, a disabled person and a wrong password get the same
    /// answer after the same time.
    pub async fn sign_in(&self, name: &str, typed: &str, visitor: &Visitor) -> Result<SignedIn, Error> {
        let name = LoginName::parse(name).ok();
        // Names that nobody can have are one name to the throttle.
        let counted = name.as_ref().map_or("", LoginName::as_str);
        let attempt = self.inner.throttle.enter(counted, visitor.address)?;
        let person = match &name {
            Some(name) => self.inner.store.person_by_name(TenantId::FIRST, name.as_str()).await?,
            None => None,
        };
        let hash = person.as_ref().and_then(|person| person.password_hash.as_deref());
        let right = self.inner.passwords.verify(typed, hash).await?;
        let Some(person) = person else {
            // What was typed as a name is not written down: people type passwords there.
            self.audit(None, "session.refused", "unknown", json!({ "address": visitor.address.to_string() })).await;
            return Err(Error::WrongCredentials);
        };
        if !right || person.disabled {
            let why = if right { "disabled" } else { "password" };
            let detail = json!({ "address": visitor.address.to_string(), "why": why });
            self.audit(None, "session.refused", person.id, detail).await;
            return Err(Error::WrongCredentials);
        }
        attempt.succeeded();
        self.open_session(person, visitor).await
    }

    /// Ends the session that asks.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Error> {
        match own_session(caller) {
            Some(session) => self.end_session(caller, session).await,
            None => Ok(()),
        }
    }

    /// Sets a new password with a reset link; every session of the person ends.
    pub async fn reset(&self, token: &str, typed: &str) -> Result<(), Error> {
        let link = self.usable(LinkKind::Reset, token).await?;
        let person = link.person.ok_or(Error::LinkSpent)?;
        let person = self.inner.store.person(link.tenant, person).await?.ok_or(Error::LinkSpent)?;
        if person.disabled || !self.still_may_reset(&link, &person).await? {
            return Err(Error::LinkSpent);
        }
        let accepted = password::accept(typed, &person.name)?;
        let password = self.inner.passwords.hash(accepted).await?;
        let reset = self.inner.store.reset(&Digest::of(token).hex(), password).await?;
        reset.ok_or(Error::LinkSpent)?;
        self.inner.sessions.forget_person(person.id);
        self.audit(Some(&as_caller(&person)), "password.reset", person.id, json!({})).await;
        Ok(())
    }

    /// Sets a new password for the caller; their other sessions end.
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
        visitor: &Visitor,
    ) -> Result<(), Error> {
        let person = self.person(caller, caller.person).await?;
        // A stolen session must not become a way to guess the password.
        let attempt = self.inner.throttle.enter(&person.name, visitor.address)?;
        if !self.inner.passwords.verify(current, person.password_hash.as_deref()).await? {
            self.audit(Some(caller), "password.refused", person.id, json!({})).await;
            return Err(Error::WrongCredentials);
        }
        attempt.succeeded();
        let hash = self.inner.passwords.hash(password::accept(new, &person.name)?).await?;
        let change = store::PersonChange { password_hash: Some(hash), ..store::PersonChange::default() };
        self.inner.store.change_person(caller.tenant, person.id, change).await?;
        self.audit(Some(caller), "password.changed", person.id, json!({})).await;
        self.end_other_sessions(caller).await
    }

    /// Checks and hashes before a link is taken, so that a weak password does not cost the link.
    pub(crate) async fn account(&self, account: Account, role: Role) -> Result<NewPerson, Error> {
        let name = LoginName::parse(&account.name)?;
        let display_name = display_name(&account.display_name, &name)?;
        let language = account.language.map(|language| crate::people::language(&language)).transpose()?;
        let password = password::accept(&account.password, name.as_str())?;
        let password_hash = Some(self.inner.passwords.hash(password).await?);
        Ok(NewPerson {
            name: name.to_string(),
            display_name,
            role,
            password_hash,
            language: language.map(str::to_owned),
        })
    }

    /// The link and the person it makes, in one commit: a link makes one person, whoever else clicks at the same time.
    async fn take(&self, kind: LinkKind, token: &str, new: NewPerson) -> Result<Person, Error> {
        let name = new.name.clone();
        let joined = self.inner.store.join(kind, &Digest::of(token).hex(), new).await;
        let joined = joined.map_err(|error| name_taken(error, name))?;
        joined.ok_or(Error::LinkSpent)
    }

    /// Who made the link may have lost the right to: a person who became an owner since is not for an admin to reset.
    async fn still_may_reset(&self, link: &Link, person: &Person) -> Result<bool, Error> {
        let Some(maker) = link.created_by else { return Ok(true) };
        let maker = self.inner.store.person(link.tenant, maker).await?;
        Ok(maker.is_some_and(|maker| !maker.disabled && may_touch(maker.role, person).is_ok()))
    }

    async fn open_session(&self, person: Person, visitor: &Visitor) -> Result<SignedIn, Error> {
        let token = Token::random()?;
        let now = self.inner.clock.now();
        let new = NewSession {
            tenant: person.tenant,
            person: person.id,
            token_hash: token.digest().hex(),
            expires_at: now.plus(LONGEST),
            // A browser's name is for recognising it in a list; what is longer is no browser's.
            user_agent: visitor.user_agent.chars().take(300).collect(),
            address: visitor.address.to_string(),
        };
        let session = self.inner.store.create_session(new).await?;
        let caller = Caller { via: Via::Session(session.id), ..as_caller(&person) };
        let detail = json!({ "address": session.address });
        self.audit(Some(&caller), "session.opened", session.id, detail).await;
        Ok(SignedIn { token, session: session.id, expires_at: session.expires_at, person })
    }

    pub(crate) async fn person(&self, caller: &Caller, person: PersonId) -> Result<Person, Error> {
        self.inner.store.person(caller.tenant, person).await?.ok_or(Error::NotFound { what: "person" })
    }
}

/// The person as a caller who has not shown anything yet.
pub(crate) fn as_caller(person: &Person) -> Caller {
    Caller { tenant: person.tenant, person: person.id, role: person.role, via: Via::House }
}
