//! The words of types.ts held against the portal's own description (schema.d.ts, made from openapi.json by `npm run types`): a field that one side
//! adds, drops or renames stops the build here. No code is left of it. The unions (states, finishes) stay ours: the description calls them strings.
import type { components } from "@/api/schema";
import type * as ours from "@/api/types";

type Theirs = components["schemas"];

/** Where names differ the answer tells which: `{ only_ours: "x" }`. */
type Agree<Ours, Their> = [Exclude<keyof Ours, keyof Their>, Exclude<keyof Their, keyof Ours>] extends [never, never] ? true : { only_ours: Exclude<keyof Ours, keyof Their>; only_theirs: Exclude<keyof Their, keyof Ours> };
type Holds<T extends true> = T;

export type Agreement = [
  Holds<Agree<ours.Ask, Theirs["AskBody"]>>,
  Holds<Agree<ours.Accepted, Theirs["AskedBody"]>>,
  Holds<Agree<ours.Bootstrap, Theirs["Bootstrap"]>>,
  Holds<Agree<ours.Conversation, Theirs["Conversation"]>>,
  Holds<Agree<ours.ConversationChange, Theirs["ChangeBody"]>>,
  Holds<Agree<ours.ConversationDetail, Theirs["Tree"]>>,
  Holds<Agree<ours.ConversationPage, Theirs["ConversationPage"]>>,
  Holds<Agree<ours.Failure, Theirs["FailureView"]>>,
  Holds<Agree<ours.Library, Theirs["LibraryView"]>>,
  Holds<Agree<ours.LibraryDownload, Theirs["DownloadView"]>>,
  Holds<Agree<ours.LibraryModel, Theirs["LibraryModel"]>>,
  Holds<Agree<ours.Me, Theirs["Me"]>>,
  Holds<Agree<ours.Message, Theirs["Message"]>>,
  Holds<Agree<ours.Model, Theirs["Model"]>>,
  Holds<Agree<ours.ModelList, Theirs["ModelList"]>>,
  Holds<Agree<ours.Offer, Theirs["OfferView"]>>,
  Holds<Agree<ours.Provenance, Theirs["ProvenanceView"]>>,
  Holds<Agree<ours.Room, Theirs["RoomView"]>>,
  Holds<Agree<ours.Sampling, Theirs["Sampling"]>>,
  Holds<Agree<ours.SearchHit, Theirs["Hit"]>>,
  Holds<Agree<ours.Trimmed, Theirs["Trimmed"]>>,
  Holds<Agree<ours.Tried, Theirs["TriedView"]>>,
  Holds<Agree<ours.Usage, Theirs["UsageView"]>>,
  Holds<Agree<ours.Session, Theirs["SessionView"]>>,
  Holds<Agree<ours.DayUsage, Theirs["UsageToday"]>>,
  Holds<Agree<ours.Invitation, Theirs["InvitationView"]>>,
  Holds<Agree<ours.OneTimeLink, Theirs["LinkView"]>>,
  Holds<Agree<ours.Person, Theirs["PersonView"]>>,
  Holds<Agree<ours.Provider, Theirs["ProviderView"]>>,
  Holds<Agree<ours.ProviderModel, Theirs["ProviderModel"]>>,
  Holds<Agree<ours.ApiKey, Theirs["KeyView"]>>,
  Holds<Agree<ours.KeyDay, Theirs["KeyDay"]>>,
  Holds<Agree<ours.KeyUsage, Theirs["KeyUsage"]>>,
  Holds<Agree<ours.KeyScope, Theirs["Scope"]>>,
  Holds<Agree<ours.Alias, Theirs["AliasView"]>>,
  Holds<Agree<ours.AliasVersion, Theirs["VersionView"]>>,
  Holds<Agree<ours.ReplayResult, Theirs["ReplayResult"]>>,
  Holds<Agree<ours.Compared, Theirs["ComparedView"]>>,
  Holds<Agree<ours.Said, Theirs["SaidView"]>>,
  Holds<Agree<ours.Deployment, Theirs["DeploymentView"]>>,
  Holds<Agree<ours.Matrix, Theirs["Matrix"]>>,
  Holds<Agree<ours.Evidence, Theirs["Row"]>>,
  Holds<Agree<ours.Found, Theirs["FoundServer"]>>,
  Holds<Agree<ours.CardPlan, Theirs["PlanView"]>>,
  Holds<Agree<ours.Installed, Theirs["InstalledModel"]>>,
  Holds<Agree<ours.Pull, Theirs["Pull"]>>,
  Holds<Agree<ours.Rating, Theirs["RatingView"]>>,
  Holds<Agree<ours.RatingChoice, Theirs["RatingBody"]>>,
  Holds<Agree<ours.Dataset, Theirs["DatasetView"]>>,
  Holds<Agree<ours.Example, Theirs["ExampleView"]>>,
  Holds<Agree<ours.ExampleMessage, Theirs["ExampleMessage"]>>,
  Holds<Agree<ours.ExamplePage, Theirs["ExamplePage"]>>,
  Holds<Agree<ours.ImportFault, Theirs["FaultView"]>>,
  Holds<Agree<ours.ImportShown, Theirs["ShownView"]>>,
  Holds<Agree<ours.ImportResult, Theirs["ImportView"]>>,
  Holds<Agree<ours.DatasetVersion, Theirs["DatasetVersionView"]>>,
];
