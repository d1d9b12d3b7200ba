import { listAuditEvents } from '#schema/api/plane/audit.ts';
import { signIn, whoAmI } from '#schema/api/account/auth.ts';
import { getClusterMetrics, getClusterTunnels } from '#schema/api/clusters/clusters.ts';
import { registerAgent } from '#schema/api/clusters/connect.ts';
import { testDirectory } from '#schema/api/providers/directory.ts';
import {
  deleteGroupMember,
  listGroupMembers,
  listUserGroups,
  putGroupMember,
} from '#schema/api/people/group-members.ts';
import { deleteGroupRole, listGroupRoles, putGroupRole } from '#schema/api/clusters/group-roles.ts';
import { deleteMember, listMembers, putMember } from '#schema/api/clusters/members.ts';
import { changeMyPassword } from '#schema/api/account/password.ts';
import {
  joinUserPrincipal,
  listUserPrincipals,
  refreshUser,
  removeUserPrincipal,
  searchPrincipals,
} from '#schema/api/providers/principals.ts';
import { endBrowserSignIn, startBrowserSignIn } from '#schema/api/providers/browser.ts';
import { listEnabledProviders, reencryptSecrets } from '#schema/api/providers/providers.ts';
import { signInWithProvider } from '#schema/api/providers/password.ts';
import { resetPassword, setUpAdministrator } from '#schema/api/account/setup.ts';
import { exchangeCode, pollDevice, startDevice } from '#schema/api/account/oauth.ts';
import { getKeys, signOut } from '#schema/api/account/sessions.ts';
import { getSettings, updateSettings } from '#schema/api/plane/settings.ts';
import { deleteOwnTokens, deleteUserTokens, getKubeconfig } from '#schema/api/account/tokens.ts';
import { handleListAuditEvents } from '../api/plane/audit.ts';
import { handleSignIn, handleWhoAmI } from '../api/account/auth.ts';
import { handleGetClusterMetrics, handleGetClusterTunnels } from '../api/clusters/clusters.ts';
import { handleDeleteGroupRole, handleListGroupRoles, handlePutGroupRole } from '../api/clusters/group-roles.ts';
import { handleTestDirectory } from '../api/providers/directory.ts';
import {
  handleDeleteGroupMember,
  handleListGroupMembers,
  handleListUserGroups,
  handlePutGroupMember,
} from '../api/people/group-members.ts';
import { handleGetKubeconfig } from '../api/clusters/kubeconfig.ts';
import { handleDeleteMember, handleListMembers, handlePutMember } from '../api/clusters/members.ts';
import { handleChangeMyPassword } from '../api/account/password.ts';
import {
  handleJoinUserPrincipal,
  handleListUserPrincipals,
  handleRefreshUser,
  handleRemoveUserPrincipal,
  handleSearchPrincipals,
} from '../api/providers/principals.ts';
import { handleListEnabledProviders, handleReencryptSecrets } from '../api/providers/providers.ts';
import { handleSignInWithProvider } from '../api/providers/password.ts';
import type { Endpoint } from '#schema/api/endpoint.ts';
import { PAGES } from '../api/pages/pages.ts';
import { route, type Route } from '../api/route.ts';
import { handleResetPassword, handleSetUpAdministrator } from '../api/account/setup.ts';
import { handleGetSettings, handleUpdateSettings } from '../api/plane/settings.ts';
import { handleExchangeCode } from '../api/sign-in/code.ts';
import { handlePollDevice, handleStartDevice } from '../api/sign-in/device.ts';
import { handleGetKeys, handleSignOut } from '../api/sign-in/sign-out.ts';
import { handleDeleteOwnTokens, handleDeleteUserTokens } from '../api/account/tokens.ts';
import { register } from '../connect/register.ts';
import { globalRoleBindingRoutes } from '../resources/kinds/global-role-bindings.ts';
import { globalRoleRoutes } from '../resources/kinds/global-roles.ts';
import { clusterRoutes } from '../resources/kinds/clusters.ts';
import { groupRoutes } from '../resources/kinds/groups.ts';
import { providerRoutes } from '../resources/kinds/providers.ts';
import { registrationTokenRoutes } from '../resources/kinds/registration-tokens.ts';
import { tokenRoutes } from '../resources/kinds/tokens.ts';
import { userRoutes } from '../resources/kinds/users.ts';

/** Every endpoint of the plane that a program calls, but `/k8s`, tunnels and manifests. */
export const ROUTES: readonly Route[] = [
  route(setUpAdministrator, handleSetUpAdministrator),
  route(resetPassword, handleResetPassword),
  route(signIn, handleSignIn),
  route(whoAmI, handleWhoAmI),
  route(changeMyPassword, handleChangeMyPassword),
  ...userRoutes,
  route(listUserGroups, handleListUserGroups),
  ...groupRoutes,
  route(listGroupMembers, handleListGroupMembers),
  route(putGroupMember, handlePutGroupMember),
  route(deleteGroupMember, handleDeleteGroupMember),
  ...tokenRoutes,
  ...clusterRoutes,
  route(getClusterTunnels, handleGetClusterTunnels),
  route(getClusterMetrics, handleGetClusterMetrics),
  route(getKubeconfig, handleGetKubeconfig),
  route(listMembers, handleListMembers),
  route(putMember, handlePutMember),
  route(deleteMember, handleDeleteMember),
  route(listGroupRoles, handleListGroupRoles),
  route(putGroupRole, handlePutGroupRole),
  route(deleteGroupRole, handleDeleteGroupRole),
  ...globalRoleRoutes,
  ...globalRoleBindingRoutes,
  ...registrationTokenRoutes,
  route(testDirectory, handleTestDirectory),
  // Before `{provider}`, which this is none of.
  route(listEnabledProviders, handleListEnabledProviders),
  ...providerRoutes,
  route(signInWithProvider, handleSignInWithProvider),
  route(listUserPrincipals, handleListUserPrincipals),
  route(joinUserPrincipal, handleJoinUserPrincipal),
  route(removeUserPrincipal, handleRemoveUserPrincipal),
  route(refreshUser, handleRefreshUser),
  route(searchPrincipals, handleSearchPrincipals),
  route(reencryptSecrets, handleReencryptSecrets),
  route(registerAgent, async ({ body }, deps) => await register(deps, body)),
  route(listAuditEvents, handleListAuditEvents),
  route(signOut, handleSignOut),
  route(getKeys, handleGetKeys),
  route(startDevice, handleStartDevice),
  route(pollDevice, handlePollDevice),
  route(exchangeCode, handleExchangeCode),
  route(getSettings, handleGetSettings),
  route(updateSettings, handleUpdateSettings),
  route(deleteOwnTokens, handleDeleteOwnTokens),
  route(deleteUserTokens, handleDeleteUserTokens),
];

/** The same, and what a person's browser calls: all that the plane's document describes. */
export const ENDPOINTS: readonly Endpoint[] = [
  ...ROUTES.map(({ endpoint }) => endpoint),
  startBrowserSignIn,
  endBrowserSignIn,
  ...PAGES.map(({ endpoint }) => endpoint),
];
