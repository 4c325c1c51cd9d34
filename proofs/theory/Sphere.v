(** Normalised features (Yaras et al., NeurIPS 2022): cross-entropy of tau W H, the
    rows of W and the columns of H of length one, balanced classes.

    The minimum is log (1 + (K-1) exp (- tau K/(K-1))), attained exactly when W W^T
    is K/(K-1) (I - J/K) and every feature is its classifier row, h_{k,i} = w_k.

    Route: the loss is above its tangent at Z* = tau K/(K-1) P Y, whose slope is a
    multiple of -<P Y, tau W H>; and <P Y, W H> = <H, (P W)^T Y> is at most
    (|H|^2 + |(P W)^T Y|^2)/2 <= (N + n |W|^2)/2 = N. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential Softmax TagSets.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Sphere.
Variables (R : rcfType) (E : exponential R) (K N n d : nat) (lab : 'I_N -> 'I_K) (tau : R).
Hypotheses (K2 : (1 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n) (tau0 : 0 < tau).
Local Notation e := (ex E).
Local Notation Y := (onehot R lab).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)).

(** Cross-entropy of the logits tau W H. *)
Definition sphere_loss W H : R := softmax_loss E (fun=> 1) Y (tau *: (W *m H)).
(** All classifier rows and all features have length one. *)
Definition on_spheres W H : Prop :=
  (forall k, sqF (row k W) = 1) /\ (forall i, sqF (col i H) = 1).
Definition sphere_value : R := ln E (1 + (K%:R - 1) * e (- (tau * K%:R / (K%:R - 1)))).
(** W is a simplex ETF and every feature is the row of its class. *)
Definition sphere_collapse W H : Prop :=
  W *m W^T = (K%:R / (K%:R - 1)) *: ctr K /\ H = W^T *m Y.

Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let K1 : 0 < K%:R - 1 :> R. Proof. by rewrite subr_gt0 ltr1n. Qed.
Let K1N : K%:R - 1 != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let YY : Y *m Y^T = n%:R%:M := balanced_gram R bal.

Let S := fun i => [set lab i].
Let T1 : tags R S = Y. Proof. by apply: tags_onehot. Qed.
Let S1 i : tag_count R S i = 1. Proof. by rewrite /tag_count cards1. Qed.
Let S0 i : (0 < #|S i|)%N. Proof. by rewrite cards1. Qed.

(** The optimal margin and the logits Z* = a P Y. *)
Let a : R := tau * K%:R / (K%:R - 1).
Let g : R := tag_slope K E 1 a.
Let Zs : 'M[R]_(K, N) := a *: (ctr K *m Y).
Let ZsE : scaled_tags S (fun=> a) = Zs. Proof. by rewrite scaled_tags_const T1. Qed.
Let g0 : 0 < g.
Proof.
have := tag_slope_gt0 K0 E S0 (Ordinal N0) a; rewrite S1; exact.
Qed.

Let grad : softmax_grad E (fun=> 1) Y Zs = - (g / N%:R) *: (ctr K *m Y).
Proof.
rewrite -ZsE -T1 (tag_grad K0 E _ S0 (fun i => esym (S1 i))).
rewrite (@scaled_tags_ext _ _ _ S _ (fun=> g)) => [|i]; last by rewrite S1.
by rewrite scaled_tags_const scalerA T1 mulNr mulrC.
Qed.
Let loss_Zs : softmax_loss E (fun=> 1) Y Zs = sphere_value.
Proof.
rewrite -ZsE -T1 (tag_loss K0 E _ (fun i => esym (S1 i))).
under eq_bigr do rewrite S1 mul1r.
rewrite sumr_const card_ord -[X in _ * X]mulr_natl mulrA mulVf // mul1r.
rewrite /sphere_value -/a /tag_mass mul1r.
have m0 : 0 < e a + (K%:R - 1) by rewrite addr_gt0 ?ex_gt0.
have -> : 1 + (K%:R - 1) * e (- a) = (e a + (K%:R - 1)) / e a.
  by rewrite [in RHS]mulrDl mulfV ?gt_eqF ?ex_gt0 // -exN.
by rewrite lnM ?invr_gt0 ?ex_gt0 // lnV ?ex_gt0 // exK.
Qed.

(** |P W|^2 = |W|^2 - |(J/K) W|^2 *)
Let pythagoras W : sqF (ctr K *m W) = sqF W - sqF (avg K *m W).
Proof.
have -> : ctr K *m W = W - avg K *m W by rewrite ctr_def mulmxBl mul1mx.
have -> : sqF (avg K *m W) = frob W (avg K *m W).
  by rewrite /sqF frob_mulr avg_tr mulmxA avgM.
by rewrite sqFB /sqF [frob (avg K *m W) (avg K *m W)]frob_mulr avg_tr mulmxA avgM //; ring.
Qed.

(** The loss minus the value: the tangent's slack and two squares. *)
Lemma sphere_gap W H : on_spheres W H -> sphere_loss W H - sphere_value
  = bregman (softmax_loss E (fun=> 1) Y) Zs (softmax_grad E (fun=> 1) Y Zs) (tau *: (W *m H))
    + g * tau / (2%:R * N%:R) * sqF (H - (ctr K *m W)^T *m Y)
    + g * tau / (2%:R * K%:R) * sqF (avg K *m W).
Proof.
case=> w1 h1; rewrite /bregman loss_Zs /sphere_loss grad.
have HN : sqF H = N%:R.
  rewrite -sqF_tr /sqF frob_rows (eq_bigr (fun=> 1)) ?sumr_const ?card_ord // => i _.
  by rewrite -tr_col -/(sqF _) sqF_tr h1.
have WK : sqF W = K%:R.
  by rewrite /sqF frob_rows (eq_bigr (fun=> 1)) ?sumr_const ?card_ord // => i _; exact: w1.
have cross : frob (ctr K *m Y) (W *m H) = frob H ((ctr K *m W)^T *m Y).
  by rewrite frobC frob_mulr trmx_mul ctr_tr mulmxA.
have sq : sqF ((ctr K *m W)^T *m Y) = n%:R * (K%:R - sqF (avg K *m W)).
  rewrite /sqF frob_mull -mulmxA YY mul_mx_scalar frobZr -/(sqF _) sqF_tr.
  by rewrite pythagoras WK.
have PY : sqF (ctr K *m Y) = n%:R * (K%:R - 1).
  rewrite /sqF frob_mull -mulmxA YY mul_mx_scalar frobZr frob_def ctr_tr ctrM //.
  by rewrite tr_ctr.
rewrite frobBr !frobZl frobZr frobZr cross -/(sqF _) PY sqFB HN sq NE /a.
by field; rewrite KN nN K1N.
Qed.

Let breg_ge0 Z : 0 <= bregman (softmax_loss E (fun=> 1) Y) Zs (softmax_grad E (fun=> 1) Y Zs) Z.
Proof.
rewrite /bregman subr_ge0 ler_subr_addl.
by apply: softmax_subgradient => // i; exact: ltr01.
Qed.
Let c1 : 0 < g * tau / (2%:R * N%:R). Proof. by apply: divr_gt0; apply: mulr_gt0; rewrite ?ltr0n. Qed.
Let c2 : 0 < g * tau / (2%:R * K%:R). Proof. by apply: divr_gt0; apply: mulr_gt0; rewrite ?ltr0n. Qed.

(** The value is a lower bound, in every dimension. *)
Theorem sphere_lower W H : on_spheres W H -> sphere_value <= sphere_loss W H.
Proof.
move=> s; rewrite -subr_ge0 sphere_gap //.
exact: addr_ge0 (addr_ge0 (breg_ge0 _) (scale_sqF_ge0 _ (ltW c1))) (scale_sqF_ge0 _ (ltW c2)).
Qed.

(** It is attained exactly at simplex ETFs with h_{k,i} = w_k. *)
Theorem sphere_simplex_etf_iff W H : on_spheres W H ->
  sphere_loss W H = sphere_value <-> sphere_collapse W H.
Proof.
move=> s; have gap := sphere_gap s; split=> [eq|[eW eH]].
  move: gap; rewrite eq subrr => /esym/eqP.
  rewrite paddr_eq0 ?(addr_ge0 (breg_ge0 _)) ?scale_sqF_ge0 ?(ltW c1) ?(ltW c2) //.
  rewrite paddr_eq0 ?scale_sqF_ge0 ?breg_ge0 ?(ltW c1) // !scale_sqF_eq0 // -andbA.
  case/and3P => /eqP b0; rewrite subr_eq0 => /eqP eH /eqP aW.
  have PW : ctr K *m W = W by rewrite ctr_def mulmxBl mul1mx aW subr0.
  rewrite PW in eH; split=> //.
  move: b0 => /(softmax_bregman_eq0 E _ K0 N0 (fun=> ltr01)).
  rewrite /Zs -!scalemxAr !mulmxA PW ctrM // {1}eH mulmxA.
  have -> : a *: (ctr K *m Y) = (a *: ctr K) *m Y by rewrite -scalemxAl.
  rewrite scalemxAl => /(onehot_inj n0 bal) /(congr1 (fun M => tau^-1 *: M)).
  rewrite !scalerA mulVf ?gt_eqF // scale1r => ->; congr (_ *: _).
  by rewrite /a; field; rewrite K1N gt_eqF.
have aW : avg K *m W = 0.
  apply/eqP; rewrite -trmx_eq0 -gram_eq0 trmxK trmx_mul avg_tr mulmxA -(mulmxA (avg K)) eW.
  by rewrite -scalemxAr avg_ctr // scaler0 mul0mx.
have PW : ctr K *m W = W by rewrite ctr_def mulmxBl mul1mx aW subr0.
apply/eqP; rewrite -subr_eq0 gap aW PW eH subrr !sqF0 !mulr0 !addr0; apply/eqP.
apply/(softmax_bregman_eq0 E _ K0 N0 (fun=> ltr01)).
rewrite mulmxA eW /Zs -!scalemxAl scalerA -!scalemxAr mulmxA ctrM //.
by congr (_ *: _); rewrite /a; field.
Qed.

(** Attained for d >= K - 1 ... *)
Theorem sphere_simplex_etf_attained : (K.-1 <= d)%N ->
  exists W H, [/\ on_spheres W H, sphere_loss W H = sphere_value & sphere_collapse W H].
Proof.
move=> Kd; pose r : R := K%:R / (K%:R - 1); have r0 : 0 < r by exact: divr_gt0.
have St : (r *: ctr K)^T = r *: ctr K by rewrite trmxZ ctr_tr.
have Sp : psd (r *: ctr K) by apply: (psdZ (ltW r0)); exact: ctr_psd.
have rk : (\rank (r *: ctr K : 'M[R]_K) <= d)%N.
  by rewrite mxrank_scale_nz ?rank_ctr // gt_eqF.
have [M MM] := gram_factor St Sp rk.
have unit k : sqF (col k M) = 1.
  have := congr1 (fun A : 'M[R]_K => A k k) MM; rewrite /= [in RHS]mxE ctrE eqxx => e1.
  rewrite -sqF_tr /sqF frob_def trmxK /mxtrace big_ord_recl big_ord0 addr0.
  have -> : ((col k M)^T *m col k M) ord0 ord0 = (M^T *m M) k k.
    by rewrite !mxE; apply: eq_bigr => i _; rewrite !mxE.
  by rewrite e1 /r mulr1n; field; rewrite KN K1N.
have sph : on_spheres M^T (M *m Y).
  split=> [k|i]; last by rewrite col_mulmx_onehot unit.
  by rewrite -tr_col sqF_tr unit.
have col : sphere_collapse M^T (M *m Y) by split; rewrite trmxK.
by exists M^T, (M *m Y); split=> //; apply/(sphere_simplex_etf_iff sph).
Qed.

(** ... and in no smaller dimension. *)
Theorem sphere_simplex_etf_needs_dim W H : (d < K.-1)%N -> on_spheres W H ->
  sphere_value < sphere_loss W H.
Proof.
move=> dK s; rewrite lt_neqAle sphere_lower // andbT eq_sym; apply/eqP.
case/(sphere_simplex_etf_iff s) => eW _; move: dK; rewrite ltnNge => /negP; apply.
have rN : K%:R / (K%:R - 1) != 0 :> R by rewrite mulf_neq0 ?invr_eq0.
by rewrite -(rank_ctr R K0) -(mxrank_scale_nz _ rN) -eW -{1}[W]trmxK gram_rank.
Qed.

(** For d >= K - 1 the minimisers on the spheres are exactly those. *)
Theorem sphere_simplex_etf_minimisers W H : (K.-1 <= d)%N -> on_spheres W H ->
  (forall W' H', on_spheres W' H' -> sphere_loss W H <= sphere_loss W' H')
  <-> sphere_collapse W H.
Proof.
move=> Kd s; split=> [mn|c W' H' s'].
  apply/(sphere_simplex_etf_iff s)/eqP; rewrite eq_le sphere_lower // andbT.
  by have [W1 [H1 [s1 <- _]]] := sphere_simplex_etf_attained Kd; exact: mn.
by rewrite (sphere_simplex_etf_iff s).2 //; exact: sphere_lower.
Qed.
End Sphere.
