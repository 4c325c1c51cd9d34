(** Multi-label learning with the pick-all-labels loss (Li et al., ICML 2024):
    (1/N) sum_i (m_i lse z_i - <1_{S_i}, z_i>), S_i the tag set of sample i, m_i = |S_i|,
    balanced within each multiplicity: q_m samples for every tag set of m tags.

    Margins a_m = s gamma_m with gamma_m = K/(m e^{a_m} + K - m) and s >= 0 such that
    x = sum_m gamma_m^2 q_m C(K-2, m-1) = (N mu)^2 (or s = 0 and x <= (N mu)^2).  Then
    Z* = P T diag(a), the dual matrix is -(1/N) P T diag(gamma), and the minimisers are
    W W^T = N lh s P (a simplex ETF) and h_i = gamma_{m_i}/(N lh) sum_{k in S_i} w_k. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential Softmax TagSets.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Counting tag sets *)

(** m-sets that contain k and not l: C(K-2, m-1). *)
Lemma card_tag_sets K (k l : 'I_K) m : (0 < m)%N -> k != l ->
  #|[set A : {set 'I_K} | [&& k \in A, l \notin A & #|A| == m]]| = 'C(K - 2, m.-1).
Proof.
move=> m0 kl; pose B := ~: [set k; l].
have cB : #|B| = (K - 2)%N by rewrite cardsCs setCK cards2 kl card_ord.
rewrite -cB -cards_draws -[RHS](card_in_imset (f := fun A => k |: A)); last first.
  move=> A1 A2; rewrite !inE => /andP[s1 _] /andP[s2 _] e.
  have nk (A : {set 'I_K}) : A \subset B -> k \notin A.
    by move=> s; apply/negP => /(subsetP s); rewrite !inE eqxx.
  by rewrite -(setU1K (nk _ s1)) e setU1K // nk.
apply: eq_card => A; rewrite inE; apply/and3P/imsetP => [[kA lA /eqP cA]|[A']].
  exists (A :\ k); last by rewrite setD1K.
  rewrite !inE; apply/andP; split.
    apply/subsetP => j; rewrite !inE => /andP[jk jA]; rewrite (negbTE jk) /=.
    by apply: contraNneq lA => <-.
  by have := cardsD1 k A; rewrite kA cA => ->.
rewrite !inE => /andP[sA /eqP cA] ->.
have nk : k \notin A' by apply/negP => /(subsetP sA); rewrite !inE eqxx.
have nl : l \notin A' by apply/negP => /(subsetP sA); rewrite !inE eqxx orbT.
rewrite !inE eqxx eq_sym (negbTE kl) (negbTE nl); split=> //.
by rewrite cardsU1 nk cA add1n prednK.
Qed.

(** A symmetric matrix whose diagonal exceeds the rest of its row by x is x I plus a
    multiple of J, so P S P = x P. *)
Lemma ctr_equivariant (R : rcfType) K (S : 'M[R]_K) x : (0 < K)%N -> S^T = S ->
  (forall k l, k != l -> S k k - S k l = x) -> ctr K *m S *m ctr K = x *: ctr K.
Proof.
move=> K0 St h; pose k0 := Ordinal K0.
have dg k : S k k = S k0 k0.
  have [->//|kk] := eqVneq k k0.
  have e1 := h _ _ kk; have e2 := h k0 k; rewrite eq_sym in e2.
  have st : S k k0 = S k0 k by rewrite -{1}St mxE.
  by rewrite -(subrK (S k k0) (S k k)) e1 st -(e2 kk) subrK.
have -> : S = x%:M + (K%:R * (S k0 k0 - x)) *: avg K.
  apply/matrixP => k l; rewrite [RHS]mxE [x%:M k l]mxE [(_ *: avg K) k l]mxE avgE.
  rewrite mulrAC mulfV ?mul1r ?pnatr_eq0 -?lt0n //; have [<-|kl] := eqVneq k l.
    by rewrite dg mulr1n addrC subrK.
  by rewrite mulr0n add0r -(h _ _ kl) dg opprB addrC subrK.
rewrite mulmxDr mulmxDl mul_mx_scalar -scalemxAl ctrM // -scalemxAr -scalemxAl ctr_avg //.
by rewrite mul0mx scaler0 addr0.
Qed.

Section PickAllLabels.
Variables (R : rcfType) (E : exponential R) (K N d : nat) (S : 'I_N -> {set 'I_K}).
Variables (q : nat -> nat) (lw lh : R).
Hypotheses (K2 : (1 < K)%N) (N0 : (0 < N)%N) (lw0 : 0 < lw) (lh0 : 0 < lh).
Hypothesis S0 : forall i, (0 < #|S i|)%N.
(** q_m samples for every tag set of m tags. *)
Hypothesis bal : forall A : {set 'I_K}, A != set0 -> #|[pred i | S i == A]| = q #|A|.
Local Notation T := (tags R S).
Local Notation P := (ctr K).
Local Notation cnt := (tag_count R S).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

(** The pick-all-labels loss. *)
Definition pick_all_labels : 'M[R]_(K, N) -> R := softmax_loss E cnt T.

Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let lwN : lw != 0. Proof. by rewrite gt_eqF. Qed.
Let lhN : lh != 0. Proof. by rewrite gt_eqF. Qed.
Let w0 i : 0 < cnt i. Proof. by rewrite ltr0n. Qed.

(** Sums over samples as sums over multiplicities. *)
Lemma sum_tag_sets (F : {set 'I_K} -> R) :
  \sum_i F (S i) = \sum_(A : {set 'I_K} | A != set0) (q #|A|)%:R * F A.
Proof.
rewrite (partition_big S (fun A => A != set0)) /= => [|i _]; last first.
  by rewrite -card_gt0.
apply: eq_bigr => A A0; rewrite (eq_bigr (fun=> F A)) => [|i /eqP -> //].
by rewrite sumr_const mulr_natl -(bal A0).
Qed.
Lemma sum_multiplicities (F : nat -> {set 'I_K} -> R) :
  \sum_i F #|S i| (S i)
  = \sum_(m < K.+1 | (0 < m)%N) (q m)%:R * \sum_(A : {set 'I_K} | #|A| == m) F m A.
Proof.
rewrite (sum_tag_sets (fun A => F #|A| A)).
have le (A : {set 'I_K}) : (#|A| < K.+1)%N by rewrite ltnS -[X in (_ <= X)%N]card_ord max_card.
rewrite (partition_big (fun A : {set 'I_K} => Ordinal (le A)) (fun m => (0 < m)%N)) /= => [|A]; last first.
  by rewrite -card_gt0.
apply: eq_bigr => m m0; rewrite mulr_sumr; apply: eq_big => [A|A /andP[_ /eqP <-]] //.
rewrite -card_gt0; apply/andP/eqP => [[_ /eqP <-] //|e]; split; first by rewrite e.
by apply/eqP/val_inj.
Qed.

(** sum_i g_i P 1_{S_i} 1_{S_i}^T P = (sum_m g_m q_m C(K-2, m-1)) P *)
Definition tag_energy (g : nat -> R) : R :=
  \sum_(m < K.+1 | (0 < m)%N) g m * (q m)%:R * ('C(K - 2, m.-1))%:R.
Lemma tag_gram (g : nat -> R) :
  P *m (T *m diag_mx (\row_i g #|S i|) *m T^T) *m P = tag_energy g *: P.
Proof.
apply: ctr_equivariant => //.
  by rewrite !trmx_mul trmxK tr_diag_mx mulmxA.
have ent k l : (T *m diag_mx (\row_i g #|S i|) *m T^T) k l
    = \sum_i g #|S i| * ((k \in S i) && (l \in S i))%:R.
  rewrite mxE; apply: eq_bigr => i _; rewrite mul_mx_diag !mxE mulrAC -natrM mulnb.
  by rewrite mulrC.
move=> k l kl; rewrite !ent -sumrB /tag_energy.
rewrite (eq_bigr (fun i => g #|S i| * ((k \in S i) && (l \notin S i))%:R)) => [|i _]; last first.
  by rewrite -mulrBr andbb; case: (k \in S i); case: (l \in S i); rewrite /= ?subrr ?subr0.
rewrite (sum_multiplicities (fun m A => g m * ((k \in A) && (l \notin A))%:R)).
apply: eq_bigr => m m0; rewrite -mulr_sumr mulrCA mulrA; congr (_ * _).
rewrite -(@card_tag_sets K k l m) // -sum1_card natr_sum.
rewrite [RHS]big_mkcond [LHS]big_mkcond; apply: eq_bigr => A _; rewrite inE.
by case: (k \in A); case: (l \in A); case: (#|A| == m).
Qed.

(** sum_i g_i 1_{S_i} is a multiple of 1: every class has as many tags. *)
Lemma tag_ones (g : nat -> R) : P *m (T *m diag_mx (\row_i g #|S i|) *m (ones N)^T) = 0.
Proof.
pose M := T *m diag_mx (\row_i g #|S i|) *m (ones N)^T.
have ent k : M k 0 = \sum_i g #|S i| * (k \in S i)%:R.
  by rewrite /M mxE; apply: eq_bigr => i _; rewrite mul_mx_diag !mxE mulr1 mulrC.
have eqk k l : M k 0 = M l 0.
  have [->//|kl] := eqVneq k l.
  have side u v : u != v -> \sum_i g #|S i| * (u \in S i)%:R
     = tag_energy g + \sum_i g #|S i| * ((u \in S i) && (v \in S i))%:R.
    move=> uv; have -> : tag_energy g = \sum_i g #|S i| * ((u \in S i) && (v \notin S i))%:R.
      rewrite (sum_multiplicities (fun m A => g m * ((u \in A) && (v \notin A))%:R)).
      apply: eq_bigr => m m0; rewrite -mulr_sumr mulrCA mulrA; congr (_ * _).
      rewrite -(@card_tag_sets K u v m) // -sum1_card natr_sum.
      rewrite [LHS]big_mkcond [RHS]big_mkcond; apply: eq_bigr => A _; rewrite inE.
      by case: (u \in A); case: (v \in A); case: (#|A| == m).
    rewrite -big_split; apply: eq_bigr => i _ /=; rewrite -mulrDr.
    by case: (u \in S i); case: (v \in S i); rewrite /= ?addr0 ?add0r.
  rewrite !ent (side _ _ kl) (side l k); last by rewrite eq_sym.
  by congr (_ + _); apply: eq_bigr => i _; rewrite andbC.
have -> : T *m diag_mx (\row_i g #|S i|) *m (ones N)^T = M (Ordinal K0) 0 *: (ones K)^T.
  by apply/matrixP => k j; rewrite ord1 -/M (eqk k (Ordinal K0)) !mxE mulr1.
by rewrite -scalemxAr ctr_ones // scaler0.
Qed.
End PickAllLabels.
